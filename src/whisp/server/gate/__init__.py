"""Who may enter: everything a request meets before a capability sees it."""
