//! A file of settings to begin with, made from their definitions.

use clap::CommandFactory;

use super::super::serve;
use super::super::settings::{Definition, LIVE, line};
use super::super::wrap::wrap;

const HEAD: &str = "\
# Settings of `conspectus serve`, for `--config FILE` or CONSPECTUS_CONFIG. Each is commented out, with its default.
# A flag goes before a variable, a variable before this file, and this file before the default.
# Paths that don't begin with / start where the server is started.
# `conspectus config check --config FILE` lists everything that is wrong.
";
const COLUMNS: usize = 118;

/// Each setting with what it is for, its variable and its default.
pub(super) fn text() -> String {
    let blocks = Definition::all(&serve::Args::command()).iter().map(block).collect::<String>();
    format!("{HEAD}{blocks}")
}

fn block(definition: &Definition) -> String {
    let help: String = wrap(&sentence(&definition.help()), COLUMNS).iter().map(|line| format!("# {line}\n")).collect();
    let default = if definition.defaults().is_empty() { " There is no default." } else { "" };
    let live = if LIVE.contains(&definition.name()) { " A change counts at SIGHUP." } else { "" };
    format!("\n{help}# Variable: {}.{default}{live}\n#{}\n", definition.variable(), line(definition))
}

/// Help whose last full stop clap has taken away.
fn sentence(help: &str) -> String {
    if help.ends_with('.') { help.to_owned() } else { format!("{help}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_in_the_documents_is_the_one_that_is_printed() {
        const PATH: &str = "docs/conspectus.toml";
        if std::env::var_os("INSTA_UPDATE").is_some() {
            std::fs::write(PATH, text()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(PATH).unwrap(), text(), "INSTA_UPDATE=always writes it");
    }

    #[test]
    fn no_line_of_the_sample_is_wider_than_a_page() {
        for line in text().lines() {
            assert!(line.chars().count() <= 120, "{line}");
        }
    }
}
