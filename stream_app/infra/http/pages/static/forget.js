// Deletes an asset, after its id was typed.
import { assetPath, root, send } from "./api.js";
import { $, text } from "./dom.js";

export function forgetting(id) {
  const dialog = $("forget-dialog");
  $("forget-card").hidden = false;
  $("forget").addEventListener("click", () => {
    $("forget-id").value = "";
    $("forget-now").disabled = true;
    text($("forget-error"), "");
    dialog.showModal();
    $("forget-id").focus();
  });
  $("forget-id").addEventListener("input", () => {
    $("forget-now").disabled = $("forget-id").value.trim() !== id;
  });
  $("forget-now").addEventListener("click", async () => {
    try {
      await send("DELETE", assetPath(id));
      location.assign(`${root}/?forgotten=${encodeURIComponent(id)}`);
    } catch (error) {
      text($("forget-error"), error.message);
    }
  });
}
