"""`pgherd writes` beside a fault, and its report."""
import json
import os
import signal
import subprocess

from . import paths, processes
from .waiting import wait_for


class Writer:
    def __init__(self, host, dsn, directory, number, interval="10ms", table="pgherd_writes"):
        self.host, self.dsn, self.interval, self.table = host, dsn, interval, f"{table}_{number}"
        self.report_file = os.path.join(directory, f"writes-{number}.json")
        self.log_file = os.path.join(directory, f"writes-{number}.log")
        self.process = None

    def start(self):
        log = open(self.log_file, "wb")
        self.process = subprocess.Popen(
            self.host.command([paths.PGHERD, "writes", "--dsn", self.dsn, "--interval", self.interval, "--table", self.table,
                               "--duration", "600s", "--report", self.report_file, "--progress"]),
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        wait_for("the first acknowledged writes", lambda: os.path.getsize(self.log_file) > 0, 30)
        return self

    def finish(self, deadline=60):
        """Ends the writing and gives the report."""
        processes.send(self.process.pid, signal.SIGINT)
        self.process.wait(deadline)
        with open(self.report_file) as file:
            return json.load(file)

    def kill(self):
        if self.process and self.process.poll() is None:
            processes.end(self.process, 5)
