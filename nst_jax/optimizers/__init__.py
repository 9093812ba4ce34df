"""The compiled loop and its methods: L-BFGS, with or without bands, Adam and gradient descent."""
