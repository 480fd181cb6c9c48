"""full_pipe.py COMMAND...: runs it with a pipe as its standard output that nobody reads, closes the pipe once it is full, and
ends as the command does."""
import os
import select
import subprocess
import sys
import time

reader, writer = os.pipe()
command = subprocess.Popen(sys.argv[1:], stdout=writer)
full = select.poll()
full.register(writer, select.POLLOUT)
# The kernel tells nobody that a pipe is full.
while full.poll(0) and command.poll() is None:
    time.sleep(0.01)
os.close(writer)
os.close(reader)
sys.exit(command.wait())
