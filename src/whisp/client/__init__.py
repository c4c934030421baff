"""The SDK: private modules, made public by `whisp`."""
