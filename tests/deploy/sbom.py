"""The bill of materials has every crate that the program is made of, by cargo's own account, with the checksum of Cargo.lock; and
nothing of the machine that wrote it."""

import json
import pathlib
import subprocess
import sys
import tomllib

file, target = sys.argv[1:]
text = pathlib.Path(file).read_text()
sbom = json.loads(text)
tree = ["cargo", "tree", "--locked", "--edges", "normal,build", "--target", target, "--prefix", "none", "--format", "{p}"]
shown = subprocess.run(tree, check=True, capture_output=True, text=True).stdout
lines = [line.split() for line in shown.splitlines() if line]
built = {(name, version.removeprefix("v")) for name, version, *_ in lines if name != "conspectus"}
listed = {(component["name"], component["version"]): component for component in sbom["components"]}
locked = {
    (package["name"], package["version"]): package.get("checksum")
    for package in tomllib.loads(pathlib.Path("Cargo.lock").read_text())["package"]
}

problems = [f"{name} {version} isn't listed" for name, version in sorted(built - listed.keys())]
for crate, component in listed.items():
    sums = [entry["content"] for entry in component.get("hashes", []) if entry["alg"] == "SHA-256"]
    if sums != [locked.get(crate)]:
        problems.append(f"{crate}: {sums}, and Cargo.lock has {locked.get(crate)}")
    if not component.get("licenses"):
        problems.append(f"{crate} has no licence")
for of_here in [str(pathlib.Path.cwd()), str(pathlib.Path.home())]:
    if of_here in text:
        problems.append(f"it has {of_here}")
if problems:
    sys.exit("the bill of materials: " + "; ".join(problems))
print(f"the bill of materials lists {len(listed)} crates, among them the {len(built)} that the program is built from")
