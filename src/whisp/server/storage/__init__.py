"""What outlives the process: accounts, their devices' certificates, and names that are spoken for."""
