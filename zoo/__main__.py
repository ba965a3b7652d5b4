"""The program of the zoo: `python -m zoo` is `keras-attention`."""

from zoo.program import main

if __name__ == "__main__":
    main()
