"""terminal.py QUESTION=ANSWER... -- COMMAND...: runs a command on a terminal of its own and answers its questions.

An answer is typed when its question stands at the end of what the command has written, and ends with Enter unless it
ends with ^C. Writes all that was on the terminal and exits as the command did.
"""
import os
import pty
import sys

split = sys.argv.index("--")
dialogue = [each.split("=", 1) for each in sys.argv[1:split]]
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
seen = b""
while True:
    try:
        octets = os.read(terminal, 4096)
    except OSError:  # EIO: the command has ended
        break
    if not octets:
        break
    seen += octets
    if dialogue and seen.endswith(dialogue[0][0].encode()):
        answer = dialogue.pop(0)[1]
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\r")
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
