//! Why a command does not do what it was asked to.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::{FAILURE, NO_PROGRAM, USAGE};
use crate::config::ConfigErrors;
use crate::upstream;

/// What its user is told; which of them it is says the exit code.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The command line or the configuration is wrong.
    Usage(String),
    /// Something failed.
    Failure(String),
    /// The program to start is not there; how it is installed, if that is known.
    NoProgram(String, Option<&'static str>),
}

impl Refusal {
    /// The system refuses a file.
    pub(super) fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self::Failure(format!("{}: {error}", path.display()))
    }

    /// What the process ends with.
    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => USAGE,
            Self::Failure(_) => FAILURE,
            Self::NoProgram(..) => NO_PROGRAM,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(said) | Self::Failure(said) => f.write_str(said),
            Self::NoProgram(program, Some(install)) => {
                write!(f, "{program} is not on PATH. Install it: {install}")
            }
            Self::NoProgram(program, None) => write!(f, "{program}: there is no such program"),
        }
    }
}

impl From<ConfigErrors> for Refusal {
    fn from(errors: ConfigErrors) -> Self {
        Self::Usage(errors.to_string())
    }
}

/// Of [`Live::new`](crate::gateway::live::Live::new): what calls are made with cannot be used.
impl From<upstream::Failure> for Refusal {
    fn from(failure: upstream::Failure) -> Self {
        Self::Failure(failure.to_string())
    }
}
