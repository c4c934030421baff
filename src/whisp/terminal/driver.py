"""The terminal under the app: left clean, whatever way the app ends."""

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from whisp.terminal.screen_guard import CLEAR

__all__ = ["CleanDriver", "wipe_terminal"]


class CleanDriver(LinuxDriver):
    """Clears the alternate screen and its scrollback before it is left: at exit, after a fault, on a stop.

    When the terminal is gone it lets the app end: the toolkit's writer would wait for it for ever, with the
    call's keys in memory.
    """

    def write(self, data: str) -> None:
        """Write to the terminal, or to nothing once it is gone."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().write(data)

    def close(self) -> None:
        """Stop the writer, if it still runs."""
        if self._writer_thread is not None and self._writer_thread.is_alive():
            super().close()

    def stop_application_mode(self) -> None:
        """Clear, then leave as the toolkit does."""
        self.write(CLEAR)
        super().stop_application_mode()


def wipe_terminal(app: App[int]) -> None:
    """Erase what the terminal shows and remembers, now, and draw the present screen anew."""
    driver = app._driver
    if isinstance(driver, CleanDriver):
        driver.write(CLEAR)
        driver.flush()
    app.refresh(repaint=True, layout=True)
    app.screen.refresh(repaint=True, layout=True)
