"""The terminal under the app: left clean, whatever way the app ends."""

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from whisp.terminal.screen_guard import CLEAR

__all__ = ["CleanDriver", "wipe_terminal"]


class CleanDriver(LinuxDriver):
    """Clears the alternate screen and its scrollback before it is left: at exit, after a fault, on a stop."""

    def stop_application_mode(self) -> None:
        """Clear, then leave as the toolkit does."""
        if self._writer_thread is not None:
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
