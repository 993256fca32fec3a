//! The configuration: as written (`raw`), then as meant ([`Config`]). `file` knows YAML, `expand`
//! the variables in texts, `check` the rules, [`vendors`] what holds without a file.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::env::Env;
use crate::base::id::{ModelName, ProviderName};
use crate::base::pen;
use crate::base::secret::Secret;
use crate::base::splice::Edit;

pub use errors::{ConfigError, ConfigErrors, Place, Problem};
pub use meant::*;
pub use variables::secret_variables;
pub use words::Words;

use check::Outside;
use errors::{Errors, Spot};
use file::{Kind, Node};
use read::Slot;

pub mod add;
mod check;
mod dialect;
mod errors;
mod expand;
mod file;
pub mod import;
mod meant;
pub mod origin;
mod raw;
mod read;
mod scalar;
pub mod show;
mod units;
mod url;
mod variables;
pub mod vendors;
mod words;
mod yaml;
mod zero;

/// What the command line says about single values; it wins over everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<String>,
    /// `--log-level`.
    pub log_level: Option<LogLevel>,
    /// `--compat`.
    pub compat: Option<Compat>,
    /// `--trace`.
    pub trace: Option<PathBuf>,
    /// `--state`: the file for `state.store: file`.
    pub state: Option<PathBuf>,
    /// `--require-auth`: refuse `client_auth.mode: none`.
    pub require_auth: bool,
    /// `--local`: use Ollama on this machine; only without a file.
    pub local: bool,
    /// `--demo`: the built-in demo instead of any file or key (SPEC 4.5).
    pub demo: bool,
    /// `run`: the proxy serves one session, on an address and with a key of its own.
    pub session: Option<Session>,
}

/// What a proxy for one session is, whatever the configuration says about clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The only key; it takes the place of `client_auth`.
    pub key: Secret,
    /// In place of `timeouts.drain`.
    pub drain: Duration,
}

/// The configuration of `--demo`.
const DEMO: &str = include_str!("demo.yaml");

/// Loads the configuration: the named file, else that of `LLMGATE_CONFIG`, else the user's own,
/// else what the environment alone makes (SPEC 4.1, 4.4).
///
/// # Errors
/// Everything that is wrong with it; or the file cannot be read.
pub fn load(explicit: Option<&Path>, env: &Env, overrides: &Overrides) -> Result<Config, ConfigErrors> {
    if overrides.demo {
        return from_text(DEMO, Path::new("--demo"), env, overrides)
            .map(|config| Config { source: Source::Demo, ..config });
    }
    let named = named(explicit, env);
    // A file that may be there but cannot be looked at is an error, not an absence.
    match named.or_else(|| own(env).filter(|path| path.try_exists().unwrap_or(true))) {
        Some(path) => from_text(&read_text(&path)?, &path, env, overrides),
        None => from_environment(env, overrides),
    }
}

/// The file that [`load`] would read, whether it is there or not; `None` without a home.
pub fn place(explicit: Option<&Path>, env: &Env) -> Option<PathBuf> {
    named(explicit, env).or_else(|| own(env))
}

fn named(explicit: Option<&Path>, env: &Env) -> Option<PathBuf> {
    explicit.map(Path::to_owned).or_else(|| env.var("LLMGATE_CONFIG").map(PathBuf::from))
}

fn own(env: &Env) -> Option<PathBuf> {
    env.config_dir().map(|dir| dir.join("config.yaml"))
}

/// Makes a configuration of a file's text; `path` is how errors name the file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_text(text: &str, path: &Path, env: &Env, overrides: &Overrides) -> Result<Config, ConfigErrors> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut errors = Errors::default();
    if overrides.local {
        errors.warn("--local is not used: it makes a provider only where there is no file");
    }
    let mut root = file::parse(text).unwrap_or_else(|fault| {
        let is_double = fault.problem == Problem::DuplicateKey;
        errors.push(&Spot::of(&fault.path, fault.at), fault.problem, None);
        // A key that stands twice hides nothing else that is wrong.
        let firsts = is_double.then(|| file::parse_firsts(text).ok()).flatten();
        firsts.unwrap_or(Node { at: None, kind: Kind::Broken })
    });
    expand::expand(&mut root, env, &mut errors);
    let source = Source::File(path.to_owned());
    let outside = Outside { env, overrides };
    let config = checked(&root, source, outside, &mut errors);
    let warnings = std::mem::take(&mut errors.warnings);
    errors.finish(Some(path), text)?;
    match config {
        Some(config) => Ok(Config { warnings, ..config }),
        None => Err(ConfigErrors::unreadable(path, "it holds no configuration")),
    }
}

/// As written, then as meant; `None` when the whole is no section.
fn checked(tree: &Node, source: Source, outside: Outside<'_>, errors: &mut Errors) -> Option<Config> {
    let mut root = raw::Root::default();
    root.fill(tree, "", errors).then(|| check::check(&root, source, outside, errors))
}

/// Reads a duration as a file writes it: `250ms`, `10s`, `5m`.
pub fn duration(text: &str) -> Option<Duration> {
    units::duration(text)
}

/// The keys that a file may hold, as paths; a name that the user chooses is `<name>`.
pub fn key_paths() -> Vec<String> {
    raw::key_paths()
}

/// Is there a `llmgate.yaml` in the working directory that this configuration did not come from?
/// It is never read by itself: a cloned repository must not redirect the user's keys.
pub fn unused_local_file(config: &Config) -> bool {
    let local = Path::new("llmgate.yaml");
    let in_use = match &config.source {
        Source::File(path) => match (path.canonicalize(), local.canonicalize()) {
            (Ok(used), Ok(local)) => used == local,
            (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
        },
        Source::Environment(_) | Source::Demo => false,
    };
    local.exists() && !in_use
}

/// The text of a configuration's file.
///
/// # Errors
/// It cannot be read, or is no text.
pub fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    use std::io::Read as _;

    let unreadable = |error: std::io::Error| ConfigErrors::unreadable(path, &error.to_string());
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than may be: enough to tell, and a device cannot fill the memory.
    let most = file::MAX_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| ConfigErrors::unreadable(path, "it is not UTF-8 text"))
}

/// Makes the configuration that the environment alone gives (SPEC 4.4).
///
/// # Errors
/// There is no key, or what there is breaks a rule.
pub fn from_environment(env: &Env, overrides: &Overrides) -> Result<Config, ConfigErrors> {
    let mut errors = Errors::default();
    let made = zero::file(env, overrides, &mut errors);
    let outside = Outside { env, overrides };
    let config = made.and_then(|(file, variables)| {
        checked(&Node::from(file), Source::Environment(variables), outside, &mut errors)
    });
    let warnings = std::mem::take(&mut errors.warnings);
    errors.finish(None, "")?;
    config.map(|config| Config { warnings, ..config }).ok_or_else(ConfigErrors::no_provider)
}

impl Config {
    /// The provider of that name.
    pub fn provider(&self, name: &ProviderName) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == *name)
    }

    /// Every secret there is, so that texts can be masked: keys of providers and clients, proxies
    /// with credentials, the usage hook's authorization, headers that carry a credential or a long
    /// value from a variable, the address of the redis server.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut secrets = match &self.client_auth {
            ClientAuth::ProxyKey(keys) => keys.clone(),
            ClientAuth::None | ClientAuth::ClientKey => Vec::new(),
        };
        for provider in &self.providers {
            secrets.extend(provider.key.iter().map(|key| key.secret.clone()));
            if let ProxyChoice::Through(proxy) = &provider.proxy
                && let Some(credentials) = url::credentials(proxy.expose())
            {
                secrets.push(proxy.clone());
                secrets.push(Secret::new(credentials));
            }
            let own = provider.headers.iter();
            secrets.extend(own.filter(|header| header.is_sought()).map(|header| header.value.clone()));
        }
        let hook = self.usage.hook.iter();
        secrets.extend(hook.filter_map(|hook| hook.authorization.clone()));
        if let Some(address) = &self.state.url
            && let Some(credentials) = url::credentials(address.expose())
        {
            let password = credentials.split_once(':').map(|(_, password)| Secret::new(password));
            secrets.extend([address.clone(), Secret::new(credentials)].into_iter().chain(password));
        }
        secrets
    }

    /// Is the proxy reachable from this machine only?
    pub fn listens_on_loopback(&self) -> bool {
        check::listens_on_loopback(&self.listen)
    }
}

/// Does a header or variable of this name carry a credential?
pub fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    const WORDS: [&str; 7] = ["auth", "cookie", "credential", "key", "pass", "secret", "token"];
    WORDS.iter().any(|word| name.contains(word))
}

impl OwnHeader {
    /// Is its value masked in any text? A short one from a variable is not: it may be a word.
    fn is_sought(&self) -> bool {
        self.is_secret && (is_credential(&self.name) || self.value.expose().len() >= 16)
    }
}

impl ModelSpec {
    /// `set` and `drop` as edits of a body.
    pub fn edits(&self) -> Vec<Edit> {
        let set = self.set.iter().map(|(path, value)| Edit::set_dotted(path, pen::written(value)));
        set.chain(self.drop.iter().map(|path| Edit::remove_dotted(path))).collect()
    }
}

impl Provider {
    /// The host of its base URL, in small letters; empty for a disabled provider whose URL was
    /// not expanded.
    pub fn host(&self) -> &str {
        url::Url::parse(&self.base_url).map_or("", |url| url.host)
    }

    /// Its address without the path: what a client's own key is for.
    pub fn origin(&self) -> &str {
        let host = self.base_url.find("://").map_or(0, |at| at + 3);
        let path = self.base_url.get(host..).and_then(|rest| rest.find('/'));
        path.and_then(|at| self.base_url.get(..host + at)).unwrap_or(&self.base_url)
    }

    /// What is known of one of its models.
    pub fn model(&self, name: &ModelName) -> Option<&ModelSpec> {
        self.models.iter().find(|model| model.name == *name)
    }
}

impl Network {
    /// Reads an address or a range, such as `10.0.0.7` or `10.0.0.0/8`.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            Some(_) => return None,
            None => bits,
        };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Is this address in the range? An IPv4 address that arrives as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let lost = if self.address.is_ipv4() { 0 } else { 96 };
                let prefix = u32::from(self.prefix).saturating_sub(lost);
                let differs = u32::from(range) ^ u32::from(address);
                differs.leading_zeros() >= prefix
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let differs = u128::from(range) ^ u128::from(address);
                differs.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl ConfigErrors {
    fn unreadable(path: &Path, reason: &str) -> Self {
        let error = ConfigError::whole(Problem::Unreadable(reason.to_owned()));
        Self { file: Some(path.to_owned()), list: vec![error] }
    }

    fn no_provider() -> Self {
        Self { file: None, list: vec![ConfigError::whole(Problem::NoProvider)] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_addresses_of_either_form() {
        for (range, inside, outside) in [
            ("10.0.0.7", "10.0.0.7", "10.0.0.6"),
            ("10.0.0.0/9", "10.127.0.1", "10.128.0.1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::a01:101"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "11.1.1.1"),
            ("0.0.0.0/0", "255.1.1.1", "::1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
        ] {
            let holds = |address: &str| Network::parse(range).unwrap().contains(address.parse().unwrap());
            assert!(holds(inside) && !holds(outside), "{range}");
        }
        for wrong in ["10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0.0/", "host"] {
            assert!(Network::parse(wrong).is_none(), "{wrong}");
        }
    }
}
