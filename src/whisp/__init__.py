"""Whisp: a self-hosted, end-to-end encrypted messenger that works like a phone call."""
