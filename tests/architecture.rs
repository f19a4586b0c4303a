//! The layers of `src/`, held by what its files import: nothing from a layer above, and no circle of files.
//!
//! A `use` and a path in code both count; test modules, which stand last in their file, don't. A
//! `pub use` is a further name for what another file has, and leads there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers, the lowest first. Those of one row don't import each other.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["metrics"],
    &["journal"],
    &["catalogue"],
    &["access"],
    &["entry"],
    &["state"],
    &["intake", "picture"],
    &["audit", "last_used", "net"],
    &["backup"],
    &["rpc"],
    &["figures", "wording"],
    &["tables"],
    &["submitting"],
    &["demo", "http"],
    &["web"],
    &["server"],
    &["cli"],
];

/// What stands before a module that only the server has; and the same without what is quoted.
const SERVER_FEATURE: &str = "#[cfg(feature = \"server\")]";
const SERVER_FEATURE_UNQUOTED: &str = "#[cfg(feature = )]";

/// A path of modules, and of an item perhaps, from the crate's root.
type Names = Vec<String>;

#[derive(Default)]
struct File {
    /// Where it is among the modules.
    module: Names,
    /// What the names that it declares or imports stand for.
    names: BTreeMap<String, Names>,
    /// What it uses.
    uses: BTreeSet<Names>,
    /// What it has from others under a name of its own.
    exports: BTreeMap<String, Names>,
}

impl File {
    fn read(path: &Path) -> Self {
        let mut module: Names = path.with_extension("").iter().map(|name| name.to_str().unwrap().to_owned()).collect();
        module.pop_if(|last| last == "mod");
        let mut file = Self { module, ..Self::default() };
        let text = std::fs::read_to_string(Path::new("src").join(path)).unwrap();
        // An address in a text isn't a comment.
        let without_comment = |line: &str| line.replace("://", ":").split("//").next().unwrap().to_owned() + "\n";
        let code: String = text.lines().map(without_comment).collect();
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        // What stands between quotes isn't code.
        let code = code.replace("\\\"", "").replace("'\"'", "");
        let code: String = code.split('"').step_by(2).collect();
        let code = code.replace(SERVER_FEATURE_UNQUOTED, "");
        let mut rest = String::new();
        for statement in code.split(';') {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let is_test = words.starts_with(&["#[cfg(test)]"]);
            let words = words.into_iter().skip_while(|word| word.starts_with("#[")).collect::<Vec<_>>();
            let is_public = words.first().is_some_and(|word| word.starts_with("pub"));
            match &words[usize::from(is_public)..] {
                ["mod", child] if !is_test => {
                    file.names.insert((*child).to_owned(), [&file.module[..], &[(*child).to_owned()]].concat());
                }
                ["mod", _] => {}
                ["use", tree @ ..] => file.import(&tree.join(" "), is_public),
                _ => rest.push_str(statement),
            }
        }
        let is_of_a_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        for path in rest.split(|c| !is_of_a_path(c)).filter(|path| path.contains("::") && !path.ends_with("::")) {
            file.uses.extend(file.resolve(&path.split("::").map(str::to_owned).collect::<Names>()));
        }
        file
    }

    fn import(&mut self, tree: &str, is_public: bool) {
        for (names, name) in expand(tree) {
            let Some(names) = self.resolve(&names) else { continue };
            if is_public {
                self.exports.insert(name.clone(), names.clone());
            } else {
                self.uses.insert(names.clone());
            }
            self.names.insert(name, names);
        }
    }

    /// A path from the root; none for one that leads into another crate, or nowhere else than into this file.
    fn resolve(&self, names: &[String]) -> Option<Names> {
        let supers = names.iter().take_while(|name| *name == "super").count();
        let (base, rest) = match names.first()?.as_str() {
            "crate" => (&[][..], &names[1..]),
            "self" => (&self.module[..], &names[1..]),
            "super" => (&self.module[..self.module.len().checked_sub(supers)?], &names[supers..]),
            known => (&self.names.get(known)?[..], &names[1..]),
        };
        Some([base, rest].concat())
    }
}

/// The paths of a `use`, and the name that each goes by.
fn expand(tree: &str) -> Vec<(Names, String)> {
    let tree = tree.trim();
    let Some((before, group)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, tree.rsplit("::").next().unwrap()));
        let names: Names =
            path.split("::").map(str::to_owned).filter(|name| name != "self" || tree.starts_with("self")).collect();
        // A `self` in braces goes by the name of what it is.
        let name = if name == "self" { names.last().unwrap().clone() } else { name.to_owned() };
        return vec![(names, name)];
    };
    let mut depth = 0;
    let parts = group.trim_end().strip_suffix('}').unwrap().split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).flat_map(|part| expand(&format!("{before}{}", part.trim()))).collect()
}

/// The files below `src/`, but for the crate's root, which declares the layers, and the program.
fn files() -> Vec<File> {
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(Path::new("src").join(&folder)).unwrap().map(Result::unwrap) {
            let path = folder.join(entry.file_name());
            match path.extension().map(|extension| extension.to_str().unwrap()) {
                Some("rs") if path != Path::new("lib.rs") && path != Path::new("main.rs") => {
                    files.push(File::read(&path));
                }
                None => folders.push(path),
                Some(_) => {}
            }
        }
    }
    files.sort_by(|a, b| a.module.cmp(&b.module));
    files
}

/// The file that has what a path leads to.
fn home(files: &[File], names: &[String]) -> Option<usize> {
    let length = (1..=names.len()).rev().find(|length| files.iter().any(|file| file.module == names[..*length]))?;
    let at = files.iter().position(|file| file.module == names[..length])?;
    match names.get(length).and_then(|item| files[at].exports.get(item)) {
        Some(further) => home(files, &[further, &names[length + 1..]].concat()),
        None => Some(at),
    }
}

/// For each file the files that it imports.
fn imports(files: &[File]) -> Vec<BTreeSet<usize>> {
    let of = |(at, file): (usize, &File)| {
        file.uses.iter().filter_map(|names| home(files, names)).filter(|other| *other != at).collect()
    };
    files.iter().enumerate().map(of).collect()
}

fn name(file: &File) -> String {
    file.module.join("/")
}

#[test]
fn no_file_imports_from_a_layer_above_its_own() {
    let files = files();
    let layer = |file: &File| {
        let found = LAYERS.iter().position(|layer| layer.contains(&file.module[0].as_str()));
        found.unwrap_or_else(|| panic!("{} is in no layer", name(file)))
    };
    let mut wrong = Vec::new();
    for (file, imported) in files.iter().zip(imports(&files)) {
        for other in imported.into_iter().map(|other| &files[other]) {
            if file.module[0] != other.module[0] && layer(other) >= layer(file) {
                wrong.push(format!("{} imports {}", name(file), name(other)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let files = files();
    let imports = imports(&files);
    let reached = |from: usize| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            open.extend(imports[at].iter().filter(|next| reached.insert(**next)));
        }
        reached
    };
    let reached: Vec<BTreeSet<usize>> = (0..files.len()).map(reached).collect();
    let circle = |at: usize| reached[at].iter().copied().filter(|other| reached[*other].contains(&at)).collect();
    let circles: BTreeSet<Vec<usize>> = (0..files.len()).map(circle).collect();
    let names = |circle: &Vec<usize>| circle.iter().map(|at| name(&files[*at])).collect::<Vec<_>>().join(", ");
    let found: Vec<String> = circles.iter().filter(|circle| !circle.is_empty()).map(names).collect();
    assert!(found.is_empty(), "in a circle each:\n{}", found.join("\n"));
}

/// The client is for desktops that aren't Unix. That it builds without the server, `.ci/run` holds.
#[test]
fn only_what_the_server_alone_has_needs_unix() {
    let text = |file: &File| {
        let path = Path::new("src").join(name(file));
        let text = std::fs::read_to_string(path.with_extension("rs"));
        let text = text.or_else(|_| std::fs::read_to_string(path.join("mod.rs"))).unwrap();
        text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
    };
    // Also the modules of the crate's root.
    let mut servers: BTreeSet<Names> = BTreeSet::new();
    let root = std::fs::read_to_string("src/lib.rs").unwrap();
    let declaring = files().into_iter().map(|file| (file.module.clone(), text(&file)));
    for (module, text) in declaring.chain([(Names::new(), root)]) {
        for declared in text.split(SERVER_FEATURE).skip(1) {
            let line = declared.trim_start().lines().next().unwrap();
            if let Some((_, child)) = line.trim_end_matches(';').split_once("mod ") {
                servers.insert([&module[..], &[child.to_owned()]].concat());
            }
        }
    }
    let is_servers = |file: &File| servers.iter().any(|module| file.module.starts_with(module));
    let needs_unix = |file: &File| ["std::os::", "rustix", "signal::unix"].iter().any(|it| text(file).contains(it));
    let (needing, wrong): (Vec<File>, Vec<File>) = files().into_iter().filter(needs_unix).partition(is_servers);
    assert!(wrong.is_empty(), "{}", wrong.iter().map(name).collect::<Vec<_>>().join("\n"));
    assert!(needing.iter().any(|file| file.module == ["cli", "serve"]), "the server's are found");
}

#[test]
fn imports_are_read_as_rust_means_them() {
    let paths = |text| expand(text).into_iter().map(|(names, name)| format!("{} as {name}", names.join("::")));
    let found: Vec<String> = paths("super::{a::{self, B as C, d::{E, F}}, g}").collect();
    assert_eq!(
        found,
        ["super::a as a", "super::a::B as C", "super::a::d::E as E", "super::a::d::F as F", "super::g as g"]
    );
    let config = files().into_iter().find(|file| file.module == ["server", "config"]).unwrap();
    let bounds = ["net", "Bounds"].map(str::to_owned).to_vec();
    assert!(config.uses.contains(&bounds), "a path in code counts, through what is imported: {:?}", config.uses);
}
