"""An asset on one page that can be sent and printed: HTML with its plots in it, without scripts."""
