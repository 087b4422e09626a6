//! What is known of the large receivers: how many connections and messages they take, and how they want them.
//!
//! A site is a set of mail servers and not a domain: every company whose mail Google keeps shares Google's limits with
//! Gmail. The table is a file, `sites.toml`: ours is compiled in, the operator's in the data folder goes over it, key
//! by key.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::gate::Bounds;
use super::meter::Limits;
use crate::values::clock::Millis;

/// Our table.
pub const BUILT_IN: &str = include_str!("../sites.toml");
/// The name of the rule for whoever is not in the table.
const EVERYBODY_ELSE: &str = "default";
/// More connections than this are no receiver's idea of a guest (Microsoft, which allows most, says 500).
const CONNECTIONS_MAX: u32 = 500;

/// A receiving site: the name of a row of the table, else the domain or its mail servers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteKey(Arc<str>);

impl SiteKey {
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SiteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a site may get mail over a connection that is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SiteTls {
    /// Encrypted where it is offered.
    Offered,
    /// Encrypted or not at all.
    Required,
}

/// How a site is treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub connections: u32,
    pub messages_per_connection: u32,
    pub limits: Limits,
    pub tls: SiteTls,
    /// Minutes before the second, third … try of a message that was refused for now; the last one repeats.
    pub retry_minutes: Vec<u32>,
}

impl Rule {
    #[must_use]
    pub fn bounds(&self) -> Bounds {
        Bounds { connections: self.connections, limits: self.limits }
    }

    /// The pause after the `attempts`th try, from 1.
    #[must_use]
    pub fn pause_ms(&self, attempts: u32) -> i64 {
        let place = (attempts.max(1) as usize - 1).min(self.retry_minutes.len().saturating_sub(1));
        self.retry_minutes.get(place).map_or(Millis::HOUR, |minutes| i64::from(*minutes) * Millis::MINUTE)
    }
}

/// A row as it is written; what is missing comes from the row below it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    /// Mail servers: `.google.com` for all below it, `mx.example.org` for one.
    mx: Option<Vec<String>>,
    /// Domains that are known to be there without asking the DNS.
    domains: Option<Vec<String>>,
    connections: Option<u32>,
    messages_per_connection: Option<u32>,
    /// 0: no such limit.
    per_second: Option<u32>,
    per_minute: Option<u32>,
    per_hour: Option<u32>,
    per_day: Option<u32>,
    tls: Option<SiteTls>,
    retry_minutes: Option<Vec<u32>>,
}

type File = BTreeMap<String, Written>;

/// The table in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sites {
    rows: BTreeMap<String, Row>,
    everybody_else: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    pub mx: Vec<String>,
    pub domains: Vec<String>,
    pub rule: Rule,
}

impl Default for Sites {
    fn default() -> Self {
        Self::with("").expect("our own table can be read because a test reads it")
    }
}

impl Sites {
    /// Our table with the operator's file over it (empty: none).
    ///
    /// # Errors
    /// What is wrong with the file, with its line or the row it stands in.
    pub fn with(operators: &str) -> Result<Self, String> {
        let ours: File = toml::from_str(BUILT_IN).map_err(|error| error.to_string())?;
        let theirs: File = toml::from_str(operators).map_err(|error| error.to_string().trim_end().to_owned())?;
        let row = |file: &File, name: &str| file.get(name).cloned().unwrap_or_default();
        let rest = row(&theirs, EVERYBODY_ELSE).over(row(&ours, EVERYBODY_ELSE));
        let everybody_else = rest.rule(EVERYBODY_ELSE)?;
        if rest.mx.is_some() || rest.domains.is_some() {
            return Err("[default] is for whoever is in no other row; it cannot name mail servers or domains".into());
        }
        let mut rows = BTreeMap::new();
        for name in ours.keys().chain(theirs.keys()).filter(|name| *name != EVERYBODY_ELSE) {
            let whole = row(&theirs, name).over(row(&ours, name)).over(rest.clone());
            check_name(name)?;
            let rule = whole.rule(name)?;
            let (mx, domains) = (hosts(name, whole.mx)?, hosts(name, whole.domains)?);
            if mx.is_empty() && domains.is_empty() {
                return Err(format!("[{name}] names neither mx nor domains, so nobody would ever be in it"));
            }
            rows.insert(name.clone(), Row { mx, domains, rule });
        }
        Ok(Self { rows, everybody_else })
    }

    /// The site that takes the mail of `domain`. `mx_hosts`: its mail servers, the preferred first, where they are
    /// known; without them only domains that the table names are found.
    #[must_use]
    pub fn site_of(&self, domain: &str, mx_hosts: &[&str]) -> SiteKey {
        let plain = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
        let (domain, hosts) = (plain(domain), mx_hosts.iter().map(|host| plain(host)).collect::<Vec<_>>());
        for host in &hosts {
            if let Some((name, _)) = self.rows.iter().find(|(_, row)| row.mx.iter().any(|written| is_at(host, written)))
            {
                return SiteKey::new(name);
            }
        }
        if hosts.is_empty()
            && let Some((name, _)) = self.rows.iter().find(|(_, row)| row.domains.contains(&domain))
        {
            return SiteKey::new(name);
        }
        let mut set = hosts;
        set.sort();
        set.dedup();
        if set.is_empty() { SiteKey::new(&domain) } else { SiteKey::new(&set.join(" ")) }
    }

    /// How a site is treated.
    #[must_use]
    pub fn rule(&self, site: &SiteKey) -> &Rule {
        self.rows.get(site.as_str()).map_or(&self.everybody_else, |row| &row.rule)
    }

    /// Every row by name, for the eye; the rule for everybody else is [`Sites::everybody_else`].
    #[must_use]
    pub fn rows(&self) -> &BTreeMap<String, Row> {
        &self.rows
    }

    #[must_use]
    pub fn everybody_else(&self) -> &Rule {
        &self.everybody_else
    }
}

impl Written {
    /// This row, and where it says nothing the one below.
    fn over(self, below: Self) -> Self {
        Self {
            mx: self.mx.or(below.mx),
            domains: self.domains.or(below.domains),
            connections: self.connections.or(below.connections),
            messages_per_connection: self.messages_per_connection.or(below.messages_per_connection),
            per_second: self.per_second.or(below.per_second),
            per_minute: self.per_minute.or(below.per_minute),
            per_hour: self.per_hour.or(below.per_hour),
            per_day: self.per_day.or(below.per_day),
            tls: self.tls.or(below.tls),
            retry_minutes: self.retry_minutes.or(below.retry_minutes),
        }
    }

    fn rule(&self, name: &str) -> Result<Rule, String> {
        let connections = self.connections.unwrap_or(1);
        let messages_per_connection = self.messages_per_connection.unwrap_or(1);
        let retry_minutes = self.retry_minutes.clone().unwrap_or_default();
        if !(1..=CONNECTIONS_MAX).contains(&connections) {
            return Err(format!("[{name}] connections is {connections}; it must be from 1 to {CONNECTIONS_MAX}"));
        }
        if messages_per_connection == 0 {
            return Err(format!("[{name}] messages_per_connection is 0; a connection carries one message at least"));
        }
        if retry_minutes.is_empty() || retry_minutes.contains(&0) {
            return Err(format!(
                "[{name}] retry_minutes must be a list of minutes, none of them 0, such as [5, 15, 60]"
            ));
        }
        let limit = |many: Option<u32>| many.filter(|many| *many > 0);
        let limits = Limits {
            per_second: limit(self.per_second),
            per_minute: limit(self.per_minute),
            per_hour: limit(self.per_hour),
            per_day: limit(self.per_day),
        };
        let tls = self.tls.unwrap_or(SiteTls::Offered);
        Ok(Rule { connections, messages_per_connection, limits, tls, retry_minutes })
    }
}

/// A name without a dot is nobody's domain, so rows and domains never meet under one key.
fn check_name(name: &str) -> Result<(), String> {
    let fine =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine { Ok(()) } else { Err(format!("[{name}]: a row's name is small letters, digits and hyphens")) }
}

fn hosts(name: &str, written: Option<Vec<String>>) -> Result<Vec<String>, String> {
    let written = written.unwrap_or_default();
    if let Some(bad) = written.iter().find(|host| host.trim_matches('.').is_empty() || host.contains(['@', ' ', '*'])) {
        return Err(format!("[{name}] \"{bad}\" is no host name; write .example.org for all below it"));
    }
    Ok(written.iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect())
}

/// `host` is `written`, or below it where that begins with a dot.
fn is_at(host: &str, written: &str) -> bool {
    if written.starts_with('.') { host.ends_with(written) } else { host == written }
}

#[cfg(test)]
mod tests {
    use super::{SiteTls, Sites};
    use crate::values::clock::Millis;

    #[test]
    fn a_site_is_found_by_its_mail_servers_whatever_the_domain() {
        let sites = Sites::default();
        for (domain, hosts, site) in [
            ("gmail.com", &["gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"][..], "google"),
            ("tidewater.example", &["ASPMX.L.GOOGLE.COM.", "alt1.aspmx.l.google.com"], "google"),
            ("tidewater.example", &["smtp.google.com"], "google"),
            ("outlook.com", &["outlook-com.olc.protection.outlook.com"], "microsoft"),
            ("firm.example", &["firm-example.mail.protection.outlook.com"], "microsoft-365"),
            ("yahoo.com", &["mta5.am0.yahoodns.net", "mta6.am0.yahoodns.net"], "yahoo"),
            ("icloud.com", &["mx01.mail.icloud.com"], "apple"),
            ("web.de", &["mx-ha02.web.de"], "gmx"),
            ("qq.com", &["mx3.qq.com"], "qq"),
            ("GMAIL.com", &[], "google"),
            ("hotmail.co.uk", &[], "microsoft"),
            ("firm.example", &["mx2.firm.example", "mx1.firm.example."], "mx1.firm.example mx2.firm.example"),
            ("firm.example", &[], "firm.example"),
            ("notgoogle.com", &["mx.notgoogle.com"], "mx.notgoogle.com"),
        ] {
            assert_eq!(sites.site_of(domain, hosts).as_str(), site, "{domain} {hosts:?}");
        }
    }

    #[test]
    fn the_rules_are_the_published_ones() {
        let sites = Sites::default();
        let rule = |domain: &str, host: &str| sites.rule(&sites.site_of(domain, &[host])).clone();
        let google = rule("gmail.com", "gmail-smtp-in.l.google.com");
        assert_eq!((google.connections, google.messages_per_connection, google.tls), (5, 50, SiteTls::Required));
        let yahoo = rule("yahoo.com", "mta5.am0.yahoodns.net");
        assert_eq!((yahoo.messages_per_connection, yahoo.tls), (20, SiteTls::Offered));
        let other = rule("firm.example", "mx.firm.example");
        assert_eq!((other.connections, other.messages_per_connection), (10, 100));
        assert_eq!([1, 2, 3, 99].map(|attempt| other.pause_ms(attempt) / Millis::MINUTE), [5, 15, 30, 240]);
    }

    #[test]
    fn the_operator_s_file_wins_key_by_key() {
        let file = "[google]\nconnections = 2\n[default]\nper_minute = 30\n[yahoo]\nper_minute = 0\n\
                    [firm]\nmx = [\".firm.example\"]\ntls = \"required\"\n";
        let sites = Sites::with(file).expect("is fine");
        let google = sites.rule(&sites.site_of("gmail.com", &[]));
        assert_eq!((google.connections, google.messages_per_connection), (2, 50));
        assert_eq!(google.limits.per_minute, Some(30), "what the default says holds where a row is silent");
        assert_eq!(sites.rule(&sites.site_of("yahoo.com", &[])).limits.per_minute, None);
        let firm = sites.rule(&sites.site_of("a.example", &["mx.firm.example"]));
        assert_eq!((firm.tls, firm.connections), (SiteTls::Required, 10));
    }

    #[test]
    fn a_file_with_mistakes_is_refused_with_the_place() {
        for (file, says) in [
            ("[google]\nconections = 2\n", "line 2"),
            ("[google]\nconections = 2\n", "unknown field `conections`"),
            ("[google]\nconnections = 0\n", "[google] connections is 0"),
            ("[google\n", "line 1"),
            ("[new]\nconnections = 3\n", "neither mx nor domains"),
            ("[new]\nmx = [\"*.x.example\"]\n", "no host name"),
            ("[default]\nmx = [\".x.example\"]\n", "[default]"),
            ("[google]\nretry_minutes = []\n", "retry_minutes"),
            ("[google]\ntls = \"maybe\"\n", "line 2"),
            ("[google]\nconnections = -1\n", "line 2"),
            ("[\"a.b\"]\nmx = [\".x.example\"]\n", "a row's name"),
        ] {
            let error = Sites::with(file).expect_err(file);
            assert!(error.contains(says), "{file}: {error}");
        }
    }
}
