//! The `conspectus` program: server and command line in one.

use std::process::ExitCode;

fn main() -> ExitCode {
    conspectus::cli::main()
}
