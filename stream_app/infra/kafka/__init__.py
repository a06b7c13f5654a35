"""Faust, aiokafka and the broker: nothing outside this package imports them."""
