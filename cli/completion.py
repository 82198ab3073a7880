"""`./banca completion SHELL`: what a shell must be told so that Tab completes commands and options."""

from __future__ import annotations

from enum import StrEnum
from shlex import quote

from cli.stack import ROOT

# The command line that sets this is asked for completions, and runs nothing.
VARIABLE = "_BANCA_COMPLETE"


class Shell(StrEnum):
    bash = "bash"
    zsh = "zsh"
    fish = "fish"


# Typer answers these questions; the launcher is named in full, because `banca` is on nobody's PATH.
SCRIPTS = {
    Shell.bash: """\
_banca_completion() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _BANCA_COMPLETE=complete_bash LAUNCHER))
}
complete -o default -F _banca_completion banca
""",
    Shell.zsh: """\
_banca_completion() {
  eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _BANCA_COMPLETE=complete_zsh LAUNCHER)"
}
compdef _banca_completion banca
""",
    Shell.fish: """\
function __banca_completion
  env _BANCA_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=$argv[1] _TYPER_COMPLETE_ARGS=(commandline -cp) LAUNCHER
end
complete --command banca --no-files --arguments '(__banca_completion get-args)' --condition '__banca_completion is-args'
""",
}


def script(shell: Shell) -> str:
    return SCRIPTS[shell].replace("LAUNCHER", quote(str(ROOT / "banca")))
