"""Plants bugs in a copy of what the simulation compiles, and shows that it catches each of them. Run by `tests/sim/run --mutants`.

    plant.py FOLDER [NAME...]     the copy and its build go to FOLDER; only these mutants, or all

One build serves for all: each bug stands beside what is right, and `sim --mutant NUMBER` chooses it. Without a number the copy has
to be as good as the original.
"""

import os
import pathlib
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ["Cargo.toml", "gateway/src", "gateway/pipeline", "gateway/wire", "sensor-sim", "tests/sim", "tests/src/sim"]
SEEDS = 1000
# What a mutant that goes in circles is given.
SECONDS_MAX = 300

# `wire` is where all the rest can reach it.
SWITCH = """
static PLANTED: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(usize::MAX);

/// Chooses the bug.
pub fn plant(number: usize) {
    PLANTED.store(number, core::sync::atomic::Ordering::Relaxed);
}

/// Whether this bug was chosen.
pub fn is_planted(number: usize) -> bool {
    PLANTED.load(core::sync::atomic::Ordering::Relaxed) == number
}
"""


def main(folder: pathlib.Path, names: list[str]) -> None:
    """Copies, plants, builds, and runs."""
    mutants = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    unknown = set(names) - {mutant["name"] for mutant in mutants}
    if unknown:
        sys.exit(f"no mutants are called {', '.join(sorted(unknown))}; see tests/sim/mutants.toml")
    tree = folder / "tree"
    write(tree, planted(mutants))
    sim = build(folder, tree)
    failed = 0
    caught, told = run(sim)
    if caught:
        sys.exit(f"the copy fails without any bug, at seed {caught}: {told}")
    print(f"{'no bug':34}     -  {SEEDS} seeds pass", flush=True)
    chosen = 0
    for number, mutant in enumerate(mutants):
        if names and mutant["name"] not in names:
            continue
        chosen += 1
        caught, told = run(sim, "--hasty", "--mutant", str(number), seeds=mutant.get("seeds", SEEDS))
        failed += not caught
        told = told if caught else f"NOT CAUGHT: {mutant['breaks']}"
        print(f"{mutant['name']:34} {caught or '-':>5}  {told:.150}", flush=True)
    print(f"{chosen - failed} passed, {failed} failed")
    sys.exit(failed > 0)


def planted(mutants: list[dict]) -> dict[pathlib.Path, bytes]:
    """All files of the copy, with the bugs in them. Ends if a text is not where it should be."""
    files = {path.relative_to(ROOT): path.read_bytes() for path in sources()}
    lib = pathlib.Path("gateway/wire/src/lib.rs")
    files[lib] += SWITCH.encode()
    for number, mutant in enumerate(mutants):
        path = pathlib.Path(mutant["file"])
        text = files[path].decode()
        count = text.count(mutant["find"])
        if count != 1:
            sys.exit(f"{mutant['name']}: its text stands {count} times in {path}, not once; write it anew in mutants.toml")
        plant = mutant["plant"].replace("PLANTED", f"wire::is_planted({number})")
        files[path] = text.replace(mutant["find"], plant).encode()
    return files


def sources() -> list[pathlib.Path]:
    """What is copied."""
    found = []
    for name in COPIED:
        path = ROOT / name
        found += [it for it in sorted(path.rglob("*")) if it.is_file()] if path.is_dir() else [path]
    return [path for path in found if "target" not in path.relative_to(ROOT).parts and path.suffix != ".pyc"]


def write(tree: pathlib.Path, files: dict[pathlib.Path, bytes]) -> None:
    """Writes what has changed, so that little is built anew; what is gone goes."""
    for path in tree.rglob("*"):
        if path.is_file() and path.relative_to(tree) not in files:
            path.unlink()
    for path, data in files.items():
        place = tree / path
        if not place.exists() or place.read_bytes() != data:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)


def build(folder: pathlib.Path, tree: pathlib.Path) -> pathlib.Path:
    """The simulation with all bugs in it."""
    command = ["cargo", "build", "--quiet", "--locked", "--release", "--features", "mutants"]
    command += ["--manifest-path", str(tree / "tests/sim/Cargo.toml")]
    environment = os.environ | {"CARGO_TARGET_DIR": str(folder / "target"), "RUSTFLAGS": "--cap-lints=allow"}
    subprocess.run(command, env=environment, check=True)
    return folder / "target/release/sim"


def run(sim: pathlib.Path, *arguments: str, seeds: int = SEEDS) -> tuple[int, str]:
    """Runs the seeds from 1 on: the first that fails, or 0, and what was said."""
    command = [str(sim), "--seed", "1", "--seeds", str(seeds), *arguments]
    begin = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return 0, f"it goes on for {time.monotonic() - begin:.0f} s"
    for line in done.stdout.splitlines():
        if line.startswith("seed ") and " fails: " in line:
            seed, told = line.removeprefix("seed ").split(" fails: ", 1)
            return int(seed), told
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return 0, ""


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
