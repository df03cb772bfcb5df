//! `kv-codegen`: writes kv-sync and kv-async from kv-core/source; `--check` only compares.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is what the person who runs it reads")]

use std::{path::PathBuf, process::ExitCode};

use kv_codegen::{Drift, Error, plan};

const USAGE: &str = "usage: kv-codegen [--check] [--root DIR]";

struct Arguments {
    check: bool,
    root: PathBuf,
}

fn main() -> ExitCode {
    let arguments = match arguments(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    run(&arguments).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    // Cargo names the folder to what it runs; the one built in may be that of another checkout with the same target folder.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let mut arguments = Arguments { check: false, root: here.parent().unwrap_or(&here).to_owned() };
    while let Some(argument) = given.next() {
        match argument.as_str() {
            "--check" => arguments.check = true,
            "--root" => arguments.root = given.next().ok_or("--root needs a folder")?.into(),
            _ => return Err(format!("unknown argument {argument}")),
        }
    }
    Ok(arguments)
}

fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let plan = plan(&arguments.root)?;
    let drift = plan.drift();
    if arguments.check {
        for drift in drift {
            println!("{drift}");
        }
        if drift.is_empty() {
            println!("{} files are up to date", plan.len());
            return Ok(ExitCode::SUCCESS);
        }
        println!("run: just codegen");
        return Ok(ExitCode::FAILURE);
    }
    plan.write()?;
    let deleted = drift.iter().filter(|drift| matches!(drift, Drift::Orphaned(_))).count();
    println!("{} files: {} written, {deleted} deleted", plan.len(), drift.len() - deleted);
    Ok(ExitCode::SUCCESS)
}
