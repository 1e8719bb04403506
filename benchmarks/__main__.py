"""`python -m benchmarks` (`make bench`): the longest tables of docs/benchmarks.md, the speed table first.

Each of the others has its command above it.
"""

from benchmarks import adaptation, generalisation, speed, suite, training

if __name__ == "__main__":
    speed.main([])
    training.main([])
    suite.main()
    adaptation.main()
    generalisation.main()
