//! Where the view goes: redrawn in place on a terminal, line after line elsewhere.

use std::io::{self, IsTerminal, Stdout, Write};

use super::picture::Picture;
use super::view::{LINES, Scene, Style, line, screen};

/// Between two lines where there is no terminal, ms.
const LINE_INTERVAL_MS: u64 = 5_000;
/// Hides the cursor, and lets no line wrap: on a narrow terminal it is cut.
const BEGIN: &str = "\x1b[?25l\x1b[?7l";
/// Undoes [`BEGIN`].
const END: &str = "\x1b[?25h\x1b[?7h";

/// Standard output, in one of two ways.
pub(super) struct Terminal {
    out: Stdout,
    way: Way,
}

enum Way {
    /// The screen was drawn before, or was not.
    Screen { style: Style, is_drawn: bool },
    /// When the next line is due, ms since the sensors began.
    Lines { due_ms: u64 },
}

impl Terminal {
    /// Looks what standard output is. The variable `NO_COLOR` is heeded.
    pub(super) fn open() -> Self {
        let out = io::stdout();
        let way = if out.is_terminal() {
            let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let style = if is_plain {
                Style::Plain
            } else {
                Style::Colour
            };
            Way::Screen {
                style,
                is_drawn: false,
            }
        } else {
            Way::Lines {
                due_ms: LINE_INTERVAL_MS,
            }
        };
        Self { out, way }
    }

    /// Shows the picture, if it is time to.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn show(&mut self, picture: &Picture, scene: &Scene) -> io::Result<()> {
        let mut text = String::new();
        match &mut self.way {
            Way::Screen { style, is_drawn } => {
                text += &if *is_drawn {
                    format!("\x1b[{LINES}A\r")
                } else {
                    BEGIN.to_owned()
                };
                *is_drawn = true;
                for line in screen(picture, scene, *style) {
                    // Each line is ended by clearing what stood behind it.
                    text += &line;
                    text += "\x1b[K\n";
                }
            }
            Way::Lines { due_ms } if *due_ms <= scene.elapsed_ms => {
                *due_ms += LINE_INTERVAL_MS;
                text += &line(picture, scene);
                text.push('\n');
            }
            Way::Lines { .. } => {}
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Writes text below the view, which is over with it.
    ///
    /// # Errors
    /// Standard output is closed.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        self.leave_screen()?;
        writeln!(self.out, "{text}")
    }

    fn leave_screen(&mut self) -> io::Result<()> {
        if let Way::Screen { is_drawn, .. } = &mut self.way
            && core::mem::take(is_drawn)
        {
            self.out.write_all(END.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs no cursor.
        let _ = self.leave_screen();
    }
}
