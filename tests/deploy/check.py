"""The Dockerfile, the compose file and the manifests, as far as they can be checked without what runs them: they are YAML, what
they copy and mount is there, and the program takes the arguments that they give it."""

import pathlib
import re
import subprocess
import sys

import yaml

binary = sys.argv[1]
deploy = pathlib.Path("deploy")
problems = []


def check_arguments(arguments, where):
    # An argument that isn't known is refused before anything else is looked at; help is printed for the rest.
    done = subprocess.run([binary, *arguments, "--help"], capture_output=True, text=True)
    if done.returncode != 0:
        problems.append(f"{where}: {done.stderr.strip()}")


def check_variables(names, where):
    shown = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    for name in names:
        if name.startswith("CONSPECTUS_") and name not in shown:
            problems.append(f"{where}: {name} is no variable of `serve`")


compose = yaml.safe_load((deploy / "compose.yml").read_text())
for name, service in compose["services"].items():
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./"):
            # Certificates are the operator's own.
            if not (deploy / source).exists() and source != "./certificates":
                problems.append(f"compose.yml, {name}: {source} isn't there")
        elif source not in compose["volumes"]:
            problems.append(f"compose.yml, {name}: {source} is no volume")
ours = compose["services"]["conspectus"]
check_arguments(ours["command"], "compose.yml")
check_variables(ours["environment"], "compose.yml")

prometheus = yaml.safe_load((deploy / "prometheus/prometheus.yml").read_text())
target = prometheus["scrape_configs"][0]["static_configs"][0]["targets"][0]
port = target.split(":")[1]
if not any(argument.endswith(f":{port}") for argument in ours["command"]):
    problems.append(f"prometheus.yml scrapes {target}, where the server has no admin listener")

kinds = {}
for document in yaml.safe_load_all((deploy / "kubernetes/conspectus.yml").read_text()):
    kinds[document["kind"]] = document
pod = kinds["StatefulSet"]["spec"]["template"]["spec"]
container = pod["containers"][0]
check_arguments(container["args"], "kubernetes")
check_variables([variable["name"] for variable in container["env"]], "kubernetes")
ports = {port["name"] for port in container["ports"]}
for probe in ["livenessProbe", "readinessProbe"]:
    if container[probe]["httpGet"]["port"] not in ports:
        problems.append(f"kubernetes: {probe} asks at a port that isn't there")
if kinds["Service"]["spec"]["ports"][0]["targetPort"] not in ports:
    problems.append("kubernetes: the service leads to a port that isn't there")
volumes = {volume["name"] for volume in pod["volumes"]}
volumes |= {claim["metadata"]["name"] for claim in kinds["StatefulSet"]["spec"]["volumeClaimTemplates"]}
for mount in container["volumeMounts"]:
    if mount["name"] not in volumes:
        problems.append(f"kubernetes: {mount['name']} is no volume")

allowed = {line[1:] for line in pathlib.Path(".dockerignore").read_text().splitlines() if line.startswith("!")}
for line in pathlib.Path("Dockerfile").read_text().splitlines():
    if line.startswith("COPY ") and not line.startswith("COPY --from"):
        problems += [f"Dockerfile: .dockerignore keeps {source} away" for source in line.split()[1:-1] if source not in allowed]
# The image and the archive of a release are built by one toolchain, and list their crates by one program.
image = pathlib.Path("Dockerfile").read_text()
release = (deploy / "release").read_text()
for pinned, there in [(r"RUSTUP_TOOLCHAIN=(\S+)", "rust:{}-"), (r"cargo-auditable@(\S+)", "cargo-auditable@{} ")]:
    if (wanted := there.format(re.search(pinned, release)[1])) not in image.replace("\n", " "):
        problems.append(f"Dockerfile: deploy/release has {wanted.strip()}")

for problem in problems:
    print(problem)
print("the Dockerfile, compose.yml and the manifests name what is there" if not problems else f"{len(problems)} problems")
sys.exit(bool(problems))
