// What changes in the fleet, as events.
import { follow } from "./live.js";

export function fleetEvents(each) {
  follow("/api/v1/events", { update: each });
}
