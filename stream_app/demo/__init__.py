"""The whole system on one machine: broker, worker, a simulated fleet, and a live view of it."""
