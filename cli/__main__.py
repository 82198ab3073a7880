"""`python -m cli`, which ./banca runs."""

import signal

if __name__ == "__main__":
    # While modules load an interrupt ends the process without a word; main() takes it over. Where a shell has us ignore
    # it, as in the background, that stays.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cli.main import main

    main()
