"""`python -m whisp.demo`: the demonstration."""

from whisp.demo.director import main

main()
