"""`python -m benchmarks` (`make bench`): every table of docs/benchmarks.md, the speed table first."""

from benchmarks import adaptation, generalisation, speed, suite

if __name__ == "__main__":
    speed.main([])
    suite.main()
    adaptation.main()
    generalisation.main()
