//! `admin create`: an account for the desk, without a browser.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Global, print};
use crate::config::load::read_small;
use crate::verbs::accounts::{self, NewAccount, Role};
use crate::verbs::problem::Problem;

#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Make an account for the desk
    Create(CreateArgs),
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// The address to sign in with
    #[arg(long)]
    pub email: String,
    /// The person's name
    #[arg(long)]
    pub name: String,
    /// A file that holds the password, or - for standard input
    #[arg(long, env = "BROADSHEET_ADMIN_PASSWORD_FILE", value_name = "FILE", required_unless_present = "password")]
    pub password_file: Option<PathBuf>,
    /// The password itself; from the environment only, since process lists can be read
    #[arg(long, env = "BROADSHEET_ADMIN_PASSWORD", hide = true, hide_env_values = true)]
    pub password: Option<String>,
    #[arg(long, value_enum, default_value = "owner")]
    pub role: RoleArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RoleArg {
    Owner,
    Editor,
}

/// Passwords are at most some hundred letters; whatever is longer is another file.
const PASSWORD_BYTES_MAX: u64 = 4_096;

/// # Errors
/// When the account is refused, or the database cannot be used.
pub async fn run(global: &Global, command: AdminCommand) -> anyhow::Result<()> {
    let AdminCommand::Create(args) = command;
    let password = password(&args)?;
    let app = global.open().await?;
    let role = match args.role {
        RoleArg::Owner => Role::Owner,
        RoleArg::Editor => Role::Editor,
    };
    let new = NewAccount { email: args.email.clone(), name: args.name, password };
    let id = accounts::create_account(&app, new, role).await?;
    if global.json {
        return print::json(&serde_json::json!({ "id": id, "email": args.email, "role": role.as_str() }));
    }
    print::line(&format!("{} may now sign in at {}/desk as {}.", args.email, app.config.public_url, role.as_str()))
}

fn password(args: &CreateArgs) -> anyhow::Result<String> {
    let text = match (&args.password, &args.password_file) {
        (_, Some(path)) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin().take(PASSWORD_BYTES_MAX).read_to_string(&mut text)?;
            text
        }
        (_, Some(path)) => read_small(path).map_err(Problem::Invalid)?,
        (Some(password), None) => password.clone(),
        (None, None) => String::new(),
    };
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
