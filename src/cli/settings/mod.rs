//! The settings of the server: each from its flag, else from its variable, else from a file, else its default.
//!
//! The arguments of `serve` are the one definition of what settings there are. What the variables and the file give
//! becomes the default of its argument, and clap does the rest; so everything that is wrong with them is known before,
//! and reported at once.

mod definition;
mod effective;
mod file;
mod relations;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};

pub(super) use definition::Definition;
use definition::FILE;
use effective::Origin;
pub(super) use effective::{Change, LIVE, Problem, Setting, Settings};
pub(super) use file::line;

/// The variable of the argument that names the file.
const FILE_VARIABLE: &str = "CONSPECTUS_CONFIG";
/// The largest file of settings that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The verbs that take settings.
const VERBS: [&[&str]; 3] = [&["serve"], &["config", "check"], &["config", "print"]];

/// Gives the variables of the environment.
pub(super) type Variables<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// Parses a command line, with its settings if its verb takes any. Whether these can be used is to be
/// [checked](Settings::check): those that can't are left out.
///
/// # Errors
/// What clap has to say: a mistake in the line, or the help that it asks for.
pub(super) fn parse<P: CommandFactory + FromArgMatches>(
    line: &[OsString],
    variable: Variables<'_>,
) -> Result<(P, Settings), clap::Error> {
    // The help shows variables, and so does what is said of a mistake.
    let flags = without_variables(P::command())
        .try_get_matches_from(line)
        .map_err(|error| P::command().try_get_matches_from(line).err().unwrap_or(error))?;
    let command = P::command();
    let own = VERBS.iter().find_map(|path| Some((path, below(&flags, path)?)));
    let Some((path, own)) = own else { return Ok((P::from_arg_matches(&flags)?, Settings::default())) };
    let settings = resolve(command_at(&command, path), own, variable);
    let command = at(without_variables(command), path, &|verb| with_values(verb, &settings));
    Ok((P::from_arg_matches(&command.try_get_matches_from(line)?)?, settings))
}

/// The same flags and variables, with what is in the file by now.
pub(super) fn read_again(settings: &Settings, command: &Command, variable: Variables<'_>) -> Settings {
    resolve(command, &settings.flags, variable)
}

/// The arguments that settings come to, without flags that are none.
///
/// # Errors
/// What clap says of them: nothing, as long as they have been [checked](Settings::check).
pub(super) fn arguments<A: CommandFactory + FromArgMatches>(settings: &Settings) -> Result<A, clap::Error> {
    let command = with_values(settings_without_variables(A::command()), settings).no_binary_name(true);
    A::from_arg_matches(&command.try_get_matches_from([""; 0])?)
}

/// The settings of a command, by its flags, the environment and a file.
fn resolve(command: &Command, flags: &ArgMatches, variable: Variables<'_>) -> Settings {
    let definitions = Definition::all(command);
    let file = flags.get_one::<PathBuf>(FILE).cloned().or_else(|| variable(FILE_VARIABLE).map(PathBuf::from));
    let mut settings = Settings { flags: flags.clone(), file, ..Settings::default() };
    let entries = read_file(&mut settings, command, &definitions);
    for definition in definitions {
        let from_file = || {
            let entry = entries.iter().find(|entry| entry.name == definition.name())?;
            Some((entry.values.iter().map(OsString::from).collect(), Origin::File(entry.place)))
        };
        let mut given = given_by_flag(flags, definition.id()).map(|values| (values, Origin::Flag));
        if given.is_none()
            && let Some(text) = variable(definition.variable())
        {
            let values = definition.values_of(text);
            let refused: Vec<String> = values.iter().filter_map(|value| definition.refusal(value)).collect();
            let problem = |why: String| Problem::of_setting(format!("{}: {why}", definition.variable()));
            given = refused.is_empty().then_some((values, Origin::Variable));
            settings.problems.extend(refused.into_iter().map(problem));
        }
        if let (Some((values, Origin::Variable)), Some((unused, Origin::File(place)))) = (&given, from_file())
            && *values != unused
        {
            let (file, name) = (settings.file().unwrap_or(Path::new("")).display(), definition.name());
            let variable = definition.variable();
            settings.overridden.push(format!("{file}:{place}: {name} has no effect: {variable} goes before it"));
        }
        let (values, origin) = given.or_else(from_file).unwrap_or_else(|| (definition.defaults(), Origin::Default));
        settings.all.push(Setting { definition, values, origin });
    }
    let relations = relations::problems(&settings);
    settings.problems.extend(relations);
    settings
}

/// What stands in the file, if there is one; its problems are noted.
fn read_file(settings: &mut Settings, command: &Command, definitions: &[Definition]) -> Vec<file::Entry> {
    let Some(path) = &settings.file else { return Vec::new() };
    let text = match read_bounded(path) {
        Ok(text) => text,
        Err(why) => {
            settings.problems.push(Problem::of_machine(format!("can't read {}: {why}", path.display())));
            return Vec::new();
        }
    };
    let is_setting = |name: &str| definitions.iter().any(|definition| definition.name() == name);
    let flags = command.get_arguments().filter_map(|argument| argument.get_long());
    let once: Vec<String> = flags.filter(|name| !is_setting(name)).map(str::to_owned).collect();
    let (entries, problems) = file::read(&text, definitions, &once);
    let of_file = |(place, what)| Problem::of_setting(format!("{}:{place}: {what}", path.display()));
    settings.problems.extend(problems.into_iter().map(of_file));
    entries
}

/// The text of a file of settings.
///
/// # Errors
/// In words, when it can't be read, is too large, or isn't a text.
fn read_bounded(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it has more than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "it isn't text in UTF-8".to_owned())
}

/// The values of an argument on the command line, if it is there.
fn given_by_flag(flags: &ArgMatches, id: &str) -> Option<Vec<OsString>> {
    let is_given = flags.value_source(id) == Some(ValueSource::CommandLine);
    is_given.then(|| flags.get_raw(id).into_iter().flatten().map(OsStr::to_owned).collect())
}

fn below<'m>(matches: &'m ArgMatches, path: &[&str]) -> Option<&'m ArgMatches> {
    path.iter().try_fold(matches, |matches, name| matches.subcommand_matches(name))
}

fn command_at<'c>(command: &'c Command, path: &[&str]) -> &'c Command {
    path.iter().fold(command, |command, name| command.find_subcommand(name).unwrap_or(command))
}

/// The same command, with one below it changed.
fn at(command: Command, path: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match path {
        [] => change(command),
        [name, rest @ ..] => command.mut_subcommand(name, |verb| at(verb, rest, change)),
    }
}

/// The same command, whose verbs that take settings read no variable for them.
fn without_variables(command: Command) -> Command {
    VERBS.iter().fold(command, |command, path| at(command, path, &settings_without_variables))
}

fn settings_without_variables(verb: Command) -> Command {
    let ids: Vec<String> = Definition::all(&verb).iter().map(|definition| definition.id().to_owned()).collect();
    let is_setting = |argument: &Arg| argument.get_id() == FILE || ids.iter().any(|id| argument.get_id() == id);
    verb.mut_args(|argument| if is_setting(&argument) { argument.env(None) } else { argument })
}

/// The same command, with the settings in effect as its defaults.
fn with_values(verb: Command, settings: &Settings) -> Command {
    verb.mut_args(|argument| {
        let setting = settings.all.iter().find(|setting| argument.get_id() == setting.definition.id());
        match setting {
            Some(setting) if !setting.is_default() => argument.default_values(setting.values.clone()),
            Some(_) | None => argument,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Parser;
    use proptest::prelude::*;

    use super::super::failure::{Exit, Failure};
    use super::super::serve;
    use super::*;

    /// The settings of `serve`, by flags, variables and a file.
    fn resolve(flags: &str, variables: &[(&str, &str)], text: Option<&str>) -> Settings {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("conspectus.toml");
        let mut line = vec!["serve".to_owned()];
        line.extend(flags.split_whitespace().map(str::to_owned));
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
            line.extend(["--config".to_owned(), path.display().to_string()]);
        }
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        let flags = settings_without_variables(serve::Args::command()).try_get_matches_from(line).unwrap();
        let variable = |name: &str| variables.get(name).map(OsString::from);
        let mut settings = super::resolve(&serve::Args::command(), &flags, &variable);
        // The folder's name is another each time.
        for problem in &mut settings.problems {
            problem.text = problem.text.replace(&path.display().to_string(), "conspectus.toml");
        }
        settings
    }

    /// Everything that is wrong.
    fn refused(settings: &Settings) -> String {
        match settings.check(&[]) {
            Err(Failure::Message(Exit::Usage, message)) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_flag_goes_before_a_variable_a_variable_before_the_file_and_the_file_before_the_default() {
        let file = "calls-a-second = 3\nreflection = true";
        let (flags, variable) = ("--calls-a-second 1 --reflection=false", [("CONSPECTUS_CALLS_A_SECOND", "2")]);
        let shown = |settings: &Settings| {
            settings.check(&[]).unwrap();
            let rate = settings.get("calls-a-second").unwrap();
            let source = settings.source(rate);
            let source = source.rsplit('/').next().unwrap();
            format!("{} {source} {}", rate.shown().unwrap(), settings.get("reflection").unwrap().shown().unwrap())
        };
        let with = |flags, variables: &[_], file| shown(&resolve(flags, variables, file));
        assert_eq!(with("", &[], None), "5000 default false");
        assert_eq!(with("", &[], Some(file)), "3 conspectus.toml:1 true");
        assert_eq!(with("", &variable, Some(file)), "2 CONSPECTUS_CALLS_A_SECOND true");
        assert_eq!(with(flags, &variable, Some(file)), "1 --calls-a-second false");
        assert_eq!(with("", &[("CONSPECTUS_REFLECTION", "false")], Some(file)), "3 conspectus.toml:1 false");
        assert_eq!(with("--reflection", &[("CONSPECTUS_REFLECTION", "false")], None), "5000 default true");
    }

    #[test]
    fn the_settings_in_effect_are_the_servers_arguments() {
        let file = "page-origin = [\"https://a.example\", \"https://b.example\"]\ntls-min = \"1.2\"\ntls-cert = \"c\"\ntls-key = \"k\"";
        let settings = resolve("--drain-seconds 7", &[("CONSPECTUS_CALLS_A_SECOND", "9")], Some(file));
        settings.check(&[]).unwrap();
        let of_file = format!("{:?}", arguments::<serve::Args>(&settings).unwrap());
        let flags = "serve --drain-seconds 7 --calls-a-second 9 --page-origin https://a.example \
                     --page-origin https://b.example --tls-min 1.2 --tls-cert c --tls-key k";
        assert_eq!(of_file, format!("{:?}", serve::Args::parse_from(flags.split_whitespace())));
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once_and_where() {
        let file = r#"
listn = "127.0.0.1:50051"
tls_cert = "server.pem"
web = 'nowhere'
calls-a-second = 0
drain-seconds = "10"
tls-min = 1.2
reflection = "yes"
page-origin = ["https://intranet.example", 7, "intranet"]
demo = true
config = "other.toml"
time-zone = "Europe/Atlantis"
client-crl = "crl.pem"
data = "one"
data = "two"
oidc-client-id = = "figures"
[audit]
keep = 1
"#;
        let variables = [
            ("CONSPECTUS_LISTEN", "everywhere"),
            ("CONSPECTUS_REFLECTION", "1"),
            ("CONSPECTUS_TLS_KEY", "key.pem"),
            ("CONSPECTUS_LOG", "loud"),
        ];
        let settings = resolve("--oidc-issuer https://login.example", &variables, Some(file));
        insta::assert_snapshot!(refused(&settings));
    }

    #[test]
    fn settings_that_do_not_go_together_are_named_as_they_were_given_wherever_they_are_from() {
        let variables = [("CONSPECTUS_TLS_CERT", "c"), ("CONSPECTUS_TLS_KEY", "k")];
        let plaintext = Some("\nallow-plaintext-network = true");
        let text = refused(&resolve("", &variables, plaintext));
        assert_eq!(text, "conspectus.toml:2:1: allow-plaintext-network contradicts CONSPECTUS_TLS_CERT");
        for (flags, variables, file) in [
            ("--allow-plaintext-network=false", &variables[..], plaintext),
            ("--web-url https://figures.example", &[], None),
            ("--client-ca ca", &variables, None),
        ] {
            resolve(flags, variables, file).check(&[]).unwrap();
        }
        for (flags, variables, expect) in [
            ("--tls-cert c", &[][..], "--tls-cert needs --tls-key"),
            ("", &variables[1..], "CONSPECTUS_TLS_KEY needs CONSPECTUS_TLS_CERT"),
            ("--client-ca ca", &[], "--client-ca needs --tls-cert"),
            ("--tls-min 1.3", &[], "--tls-min needs --tls-cert"),
            ("--client-crl crl", &variables, "--client-crl needs --client-ca"),
            ("--oidc-client-secret-file s", &[], "--oidc-client-secret-file needs --oidc-issuer"),
            ("--oidc-issuer https://login.example --oidc-client-id figures", &[], "--oidc-issuer needs --web-url"),
        ] {
            assert_eq!(refused(&resolve(flags, variables, None)), expect, "{flags}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_failure_of_this_machine() {
        for (path, expect) in
            [("/nowhere.toml", "can't read /nowhere.toml: No such file"), ("/", "can't read /: Is a dir")]
        {
            match resolve(&format!("--config {path}"), &[], None).check(&[]) {
                Err(Failure::Message(Exit::Failed, message)) => assert!(message.starts_with(expect), "{message}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_names_settings_names_some_that_there_are() {
        let names: Vec<String> =
            Definition::all(&serve::Args::command()).iter().map(|definition| definition.name().to_owned()).collect();
        for name in relations::names().chain(LIVE) {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        for argument in serve::Args::command().get_arguments().filter(|argument| argument.get_env().is_some()) {
            assert!(argument.get_action().takes_values(), "{argument} can't be taken back: give it a value");
        }
        let once = ["config", "demo", "accept-older-journal", "credentials", "help"];
        assert!(once.iter().all(|flag| !names.iter().any(|name| name == flag)), "{names:?}");
    }

    #[test]
    fn a_sample_of_every_default_changes_nothing() {
        let definitions = Definition::all(&serve::Args::command());
        let with_default = definitions.iter().filter(|definition| !definition.defaults().is_empty());
        let text: String = with_default.clone().map(|definition| line(definition) + "\n").collect();
        let settings = resolve("--tls-cert c --tls-key k", &[], Some(&text));
        settings.check(&[]).unwrap();
        assert!(with_default.clone().count() > 5);
        for definition in with_default {
            let setting = settings.get(definition.name()).unwrap();
            assert!(!setting.is_default() && setting.values() == definition.defaults(), "{setting:?}");
        }
    }

    #[test]
    fn a_secret_is_neither_shown_nor_in_an_error() {
        #[derive(Debug, Parser)]
        struct Command {
            #[arg(long)]
            config: Option<PathBuf>,
            #[arg(long, env = "CONSPECTUS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
            token: Option<u8>,
        }
        let shown = |text: &'static str| {
            let flags = settings_without_variables(Command::command()).get_matches_from(["x"]);
            let variable = |name: &str| (name == "CONSPECTUS_TOKEN").then(|| text.into());
            let settings = super::resolve(&Command::command(), &flags, &variable);
            (settings.get("token").unwrap().shown(), settings.check(&[]).err().map(|failure| failure.in_a_line()))
        };
        assert_eq!(shown("77"), (Some("(hidden)".to_owned()), None));
        let (_, error) = shown("xyzzy");
        assert_eq!(error.unwrap(), "CONSPECTUS_TOKEN: found a text: invalid digit found in string; allowed: TOKEN");
    }

    #[test]
    fn what_changes_is_told_apart_by_whether_a_running_server_takes_it_up() {
        let mut running = resolve("--drain-seconds 5", &[], Some("calls-a-second = 3\nweb = \"127.0.0.1:1\""));
        let read = resolve("--drain-seconds 5", &[], Some("calls-a-second = 4\nlog = \"warn\"\ndrain-seconds = 9"));
        let texts = |running: &Settings| -> Vec<String> {
            running.changes(&read).iter().map(|change| format!("{} {}", change.is_live, change.text)).collect()
        };
        let restart = "false web from 127.0.0.1:1 to nothing";
        assert_eq!(texts(&running), [restart, "true calls-a-second from 3 to 4", "true log from info to warn"]);
        running.take_up(&read);
        assert_eq!(texts(&running), [restart], "it is said again until there is a restart");
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_say_what_is_wrong_with_it(
            text in "(([a-z-]{1,9}|listen|page-origin) ?= ?(\"[ -~é]*\"|[0-9.x_-]{1,30}|\\[[0-9\", ]*\\]|true|\\{)?\r?\n|\\PC{0,9}\n?){0,6}"
        ) {
            let definitions = Definition::all(&serve::Args::command());
            let (entries, problems) = file::read(&text, &definitions, &[]);
            for (place, what) in &problems {
                prop_assert!(place.line <= 1 + text.lines().count() && !what.is_empty() && !what.contains('\n'), "{place} {what}");
            }
            prop_assert!(!problems.is_empty() || text.parse::<toml::Table>().is_ok_and(|table| table.len() == entries.len()));
        }
    }
}
