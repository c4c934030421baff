"""Every message's shape, codec and limit: all of the protocol that the server may know."""
