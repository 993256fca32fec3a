//! `service print`: a unit that keeps llmgate running. It is printed, never installed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::env::Env;
use crate::cli::args::{Given, Mistake};
use crate::cli::refusal::Refusal;
use crate::cli::say;
use crate::cli::table::{CODES, CONFIG, Command, Flag, Row};

pub(super) static ROW: Row = Row {
    name: "service print",
    aliases: &[],
    summary: "print a unit that starts llmgate with your session",
    about: "Nothing is installed: the text says where it goes. Keys belong into the file with variables that it \
            names, readable by you alone.",
    words: &[],
    rest: None,
    flags: &[&SYSTEMD, &LAUNCHD, &CONFIG],
    codes: CODES,
    command: read,
};

static SYSTEMD: Flag = Flag::switch("systemd", "for systemd's user manager (default, but for macOS)");
static LAUNCHD: Flag = Flag::switch("launchd", "for launchd, as a user agent (default on macOS)");

#[derive(Clone, Copy)]
enum Manager {
    Systemd,
    Launchd,
}

struct Print {
    manager: Manager,
    config: Option<PathBuf>,
}

fn read(given: &Given) -> Result<Box<dyn Command>, Mistake> {
    let manager = match (given.has(&SYSTEMD), given.has(&LAUNCHD)) {
        (false, true) => Manager::Launchd,
        (false, false) if cfg!(target_os = "macos") => Manager::Launchd,
        // Of both the first one in the table.
        (true | false, _) => Manager::Systemd,
    };
    Ok(Box::new(Print { manager, config: given.path(&CONFIG) }))
}

impl Command for Print {
    fn run(self: Box<Self>, env: Env) -> Result<ExitCode, Refusal> {
        let binary = std::env::current_exe()
            .map_err(|error| Refusal::Failure(format!("where this program lies cannot be told: {error}")))?;
        // The service does not see this shell's variables.
        let named = || env.var("LLMGATE_CONFIG").map(PathBuf::from);
        let config = self.config.clone().or_else(named);
        let config = config.map(|path| path.canonicalize().unwrap_or(path));
        say(match self.manager {
            Manager::Systemd => systemd(&binary, config.as_deref()),
            Manager::Launchd => launchd(&binary, config.as_deref(), env.state_dir().as_deref()),
        }
        .trim_end());
        Ok(ExitCode::SUCCESS)
    }
}

fn systemd(binary: &Path, config: Option<&Path>) -> String {
    let word = |path: &Path| {
        let text = path.display().to_string().replace('%', "%%");
        // What systemd would take apart stands in quotes.
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./%".contains(c));
        if plain {
            text
        } else {
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$"))
        }
    };
    let config = config.map(|path| format!(" --config {}", word(path))).unwrap_or_default();
    format!(
        "# Save as ~/.config/systemd/user/llmgate.service; then:\n\
         #   systemctl --user daemon-reload && systemctl --user enable --now llmgate\n\
         # Keys: NAME=value lines in ~/.config/llmgate/env (chmod 600).\n\
         [Unit]\n\
         Description=llmgate, a proxy between coding agents and LLM providers\n\
         After=network-online.target\n\
         Wants=network-online.target\n\
         \n\
         [Service]\n\
         ExecStart={} start{config}\n\
         EnvironmentFile=-%h/.config/llmgate/env\n\
         Restart=on-failure\n\
         RestartSec=2\n\
         # A wrong configuration is not mended by another start.\n\
         RestartPreventExitStatus=2\n\
         NoNewPrivileges=yes\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        word(binary)
    )
}

fn launchd(binary: &Path, config: Option<&Path>, state: Option<&Path>) -> String {
    let text = |path: &Path| {
        path.display().to_string().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    };
    let mut words = vec![text(binary), "start".to_owned()];
    words.extend(config.into_iter().flat_map(|path| ["--config".to_owned(), text(path)]));
    let words: String = words.iter().map(|word| format!("    <string>{word}</string>\n")).collect();
    // Without a home there is no place that is the user's alone: a known name in a shared folder may
    // be somebody's link.
    let log = state.map_or_else(|| "/dev/null".to_owned(), |state| text(&state.join("llmgate.log")));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <!-- Save as ~/Library/LaunchAgents/llmgate.plist (chmod 600); then:\n     \
         launchctl bootstrap gui/$UID ~/Library/LaunchAgents/llmgate.plist\n     \
         Keys: one more pair below EnvironmentVariables for each. -->\n\
         <plist version=\"1.0\">\n\
         <dict>\n  \
         <key>Label</key>\n  <string>llmgate</string>\n  \
         <key>ProgramArguments</key>\n  <array>\n{words}  </array>\n  \
         <key>EnvironmentVariables</key>\n  <dict>\n  </dict>\n  \
         <key>RunAtLoad</key>\n  <true/>\n  \
         <key>KeepAlive</key>\n  <dict>\n    <key>SuccessfulExit</key>\n    <false/>\n  </dict>\n  \
         <key>StandardErrorPath</key>\n  <string>{log}</string>\n\
         </dict>\n\
         </plist>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_stay_whole() {
        let (binary, config) = (Path::new("/opt/my tools/100%/llmgate"), Path::new("/home/a/b&c.yaml"));
        let unit = systemd(binary, Some(config));
        assert!(
            unit.contains("ExecStart=\"/opt/my tools/100%%/llmgate\" start --config \"/home/a/b&c.yaml\"\n"),
            "{unit}"
        );
        assert!(systemd(Path::new("/usr/bin/llmgate"), None).contains("ExecStart=/usr/bin/llmgate start\n"));
        let plist = launchd(binary, Some(config), None);
        assert!(plist.contains("<string>/home/a/b&amp;c.yaml</string>"), "{plist}");
    }
}
