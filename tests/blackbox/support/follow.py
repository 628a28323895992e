"""nof0ctl capture --every as a process."""
import signal

from support.programs import PATIENCE_S, ctl_start, no_report


class Follower:
    def __init__(self, url, out, *options, every="100ms", **settings):
        self.process = ctl_start("capture", "--from", url, out, "--every", every, *options, **settings)

    def stop(self, number=signal.SIGTERM, expect=0):
        """What it said on both streams."""
        self.process.send_signal(number)
        said, err = (stream.decode() for stream in self.process.communicate(timeout=PATIENCE_S))
        no_report(err)
        assert self.process.returncode == expect, (self.process.returncode, said, err)
        return said, err

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
