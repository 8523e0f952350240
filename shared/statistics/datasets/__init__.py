"""The datasets that ship with the program, a module each: the rows that are counted, and the indicators made of them.

A dataset has so few dimensions that a city's slice of it has hundreds of cells and not thousands: all of them together
come to about 5,000. What a dataset is counted by, its indicators can be asked by.
"""
