//! `portcullis completions` and `portcullis man`: scripts that complete the command line, and its manual pages.

use std::path::Path;

use clap::{Arg, ArgMatches, Command, ValueHint, value_parser};
use clap_complete::Shell;

use super::print;

/// The arguments of `completions`.
pub fn completions_command() -> Command {
    let shell = Arg::new("shell").required(true).value_parser(value_parser!(Shell)).help("The shell");
    Command::new("completions").about("Prints a script with which a shell completes this command line").arg(shell)
}

/// The arguments of `man`.
pub fn man_command() -> Command {
    let folder = Arg::new("folder")
        .long("folder")
        .value_name("DIR")
        .value_hint(ValueHint::DirPath)
        .help("Writes the page of each subcommand into this folder too");
    Command::new("man").about("Prints the manual page, in the format of man(1)").arg(folder)
}

/// Prints the script of a shell.
///
/// # Errors
/// Never: clap has refused an unknown shell.
pub fn completions(matches: &ArgMatches, mut command: Command) -> Result<(), String> {
    let shell = matches.get_one::<Shell>("shell").copied().ok_or("name a shell")?;
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "portcullis", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Prints the page of the program, or writes all pages into a folder.
///
/// # Errors
/// When the folder can't be written.
pub fn man(matches: &ArgMatches, command: Command) -> Result<(), String> {
    if let Some(folder) = matches.get_one::<String>("folder") {
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command.disable_help_subcommand(true), Path::new(folder)));
        return written.map_err(|error| format!("{folder}: {error}"));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(|error| error.to_string())?;
    print(&String::from_utf8_lossy(&page));
    Ok(())
}
