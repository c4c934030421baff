"""The `whisp` command and the full-screen app. It uses the SDK only, and never the network itself."""
