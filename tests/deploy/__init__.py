"""The files of a deployment agree with the program that they deploy."""
