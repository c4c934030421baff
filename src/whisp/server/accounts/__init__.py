"""Names, keys and devices: who may claim one, log in, change the list, and leave for good."""
