//! Papers stay true: links lead somewhere, files that are named exist, commands of the README are run by the tests.

use super::{Finding, Source};

/// Endings by which a name in backticks is taken for a file.
const FILE_ENDINGS: [&str; 12] = [
    ".rs", ".md", ".toml", ".sh", ".py", ".java", ".xml", ".service", ".js", ".css", ".html",
    ".json",
];

/// Links of Markdown files to files of the tree which are not there.
#[must_use]
pub fn broken_links(files: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for paper in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = paper.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in prose(paper) {
            for target in links(line)
                .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
            {
                let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
                let whole = if path.is_empty() {
                    paper.path.clone()
                } else {
                    join(folder, path)
                };
                if !exists(files, &whole) {
                    findings.push(Finding::new(
                        paper,
                        number,
                        format!("link to `{target}`: there is no `{whole}`"),
                    ));
                } else if !anchor.is_empty() && !has_heading(files, &whole, anchor) {
                    findings.push(Finding::new(
                        paper,
                        number,
                        format!("link to `{target}`: `{whole}` has no such heading"),
                    ));
                }
            }
        }
    }
    findings
}

/// Files named in backticks in `paper` which are not there. A name may be the end of a path: `engine.rs`, `broker/topic.rs`.
#[must_use]
pub fn unknown_files(files: &[Source], paper: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for paper in files.iter().filter(|file| file.path == paper) {
        for (number, line) in prose(paper) {
            for name in backticked(line).filter(|name| looks_like_file(name)) {
                let known =
                    |file: &Source| file.path == name || file.path.ends_with(&format!("/{name}"));
                if !files.iter().any(known) {
                    findings.push(Finding::new(
                        paper,
                        number,
                        format!("names `{name}`, which does not exist"),
                    ));
                }
            }
        }
    }
    findings
}

/// Commands in the shell blocks of `paper` which none of `scripts` runs: a command that nothing runs will rot.
///
/// Of `apt-get install` each package must be installed by a script, of `./test` its verb must be one.
#[must_use]
pub fn commands_not_run(files: &[Source], paper: &str, scripts: &[&str]) -> Vec<Finding> {
    let is_script = |file: &&Source| scripts.iter().any(|script| file.path == *script);
    let run: String = files
        .iter()
        .filter(is_script)
        .map(|file| one_line_each(&file.text))
        .collect();
    let mut findings = Vec::new();
    for paper in files.iter().filter(|file| file.path == paper) {
        for (number, command) in shell_commands(paper) {
            if let Some(missing) = part_not_run(&command, &run) {
                findings.push(Finding::new(
                    paper,
                    number,
                    format!("`{missing}` is run by none of {scripts:?}"),
                ));
            }
        }
    }
    findings
}

/// What of the command the scripts lack.
fn part_not_run(command: &str, run: &str) -> Option<String> {
    let has_word = |word: &str| run.split_whitespace().any(|it| it == word);
    if let Some((_, packages)) = command.split_once("apt-get install ") {
        return packages
            .split_whitespace()
            .find(|it| !it.starts_with('-') && !has_word(it))
            .map(str::to_owned);
    }
    if let Some(arguments) = command.strip_prefix("./test") {
        return arguments
            .split_whitespace()
            .next()
            .filter(|verb| !has_word(verb))
            .map(|_| command.to_owned());
    }
    let is_run = run.lines().any(|line| line.contains(command));
    (!is_run).then(|| command.to_owned())
}

/// The commands in blocks marked `sh`, without prompts and comments, continued lines joined, with the line of each.
fn shell_commands(paper: &Source) -> Vec<(usize, String)> {
    let mut commands = Vec::new();
    let mut in_shell = false;
    let mut begun: Option<(usize, String)> = None;
    for (number, line) in paper.lines() {
        if let Some(mark) = line.trim_start().strip_prefix("```") {
            in_shell = !in_shell && mark.trim() == "sh";
            continue;
        }
        if !in_shell {
            continue;
        }
        let text = line
            .trim()
            .trim_start_matches("$ ")
            .split(" #")
            .next()
            .unwrap_or("")
            .trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (first, so_far) = begun.take().unwrap_or((number, String::new()));
        let joined = format!("{so_far}{}", text.trim_end_matches('\\'));
        if text.ends_with('\\') {
            begun = Some((first, joined));
        } else {
            commands.push((first, joined));
        }
    }
    commands
}

fn one_line_each(script: &str) -> String {
    script.replace("\\\n", " ") + "\n"
}

/// Lines outside of code blocks.
fn prose(paper: &Source) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    paper.lines().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    })
}

fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
}

fn backticked(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn looks_like_file(name: &str) -> bool {
    let is_path = name
        .chars()
        .all(|it| it.is_alphanumeric() || "_-./".contains(it));
    is_path
        && FILE_ENDINGS
            .iter()
            .any(|ending| name.len() > ending.len() && name.ends_with(ending))
}

fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn exists(files: &[Source], path: &str) -> bool {
    files
        .iter()
        .any(|file| file.path == path || file.path.starts_with(&format!("{path}/")))
}

/// Whether a heading of the file has this anchor, made as the usual sites make it. Files that are not Markdown have none.
fn has_heading(files: &[Source], path: &str, anchor: &str) -> bool {
    let Some(paper) = files.iter().find(|file| file.path == path) else {
        return false;
    };
    let slug = |heading: &str| -> String {
        let kept = heading
            .trim()
            .chars()
            .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        kept.map(|it| if it == ' ' { '-' } else { it })
            .collect::<String>()
            .to_lowercase()
    };
    prose(paper)
        .any(|(_, line)| line.starts_with('#') && slug(line.trim_start_matches('#')) == anchor)
}

#[cfg(test)]
mod tests {
    use super::super::{places, sample};
    use super::*;

    #[test]
    fn a_link_into_the_void_is_found() {
        let files = [
            sample(
                "gateway/wire/FORMAT.md",
                &[
                    "# The format",
                    "[up](../../README.md), [gone](gone.md)",
                    "```",
                    "[no link](x.md)",
                    "```",
                ],
            ),
            sample(
                "README.md",
                &[
                    "[format](gateway/wire/FORMAT.md#the-format) [web](https://example.org/a.md)",
                    "[x](gateway/wire/FORMAT.md#else)",
                ],
            ),
        ];
        assert_eq!(
            places(&broken_links(&files)),
            ["gateway/wire/FORMAT.md:2", "README.md:2"]
        );
    }

    #[test]
    fn a_named_file_that_is_gone_is_found() {
        let files = [
            sample(
                "ARCHITECTURE.md",
                &[
                    "`engine.rs` then `broker/topic.rs`, by `Event::Published` and `a.b()`",
                    "`old.rs`, `.rs`",
                ],
            ),
            sample("gateway/src/engine.rs", &[]),
            sample("gateway/src/broker/topic.rs", &[]),
        ];
        assert_eq!(
            places(&unknown_files(&files, "ARCHITECTURE.md")),
            ["ARCHITECTURE.md:2"]
        );
    }

    #[test]
    fn a_command_that_nothing_runs_is_found() {
        let readme = [
            "```sh",
            "sudo apt-get install -y cmake \\",
            "    kcat",
            "sudo apt-get install -y kafkacat",
            "./test            # everything",
            "./test crash --kills 3",
            "./test swim",
            "cargo run -p gateway -- demo",
            "cargo run -p gateway -- dream",
            "```",
            "```toml",
            "cargo = 1",
            "```",
        ];
        let script = [
            "apt-get install -y \\",
            "    cmake kcat",
            "cargo run -p gateway -- demo --seconds 5",
            "crash | sim) ;;",
        ];
        let files = [sample("README.md", &readme), sample("test", &script)];
        assert_eq!(
            places(&commands_not_run(&files, "README.md", &["test"])),
            ["README.md:4", "README.md:7", "README.md:9"]
        );
    }
}
