"""The web app's files, given out as they were built."""
