//! Compiles the protos with protox, so that no `protoc` is needed, and keeps the served ones'
//! descriptors for server reflection.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let served = [
        "conspectus/v1/catalogue_service.proto",
        "conspectus/v1/key_service.proto",
        "conspectus/v1/picture_service.proto",
        "conspectus/v1/submission_service.proto",
    ];
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(served)?;
    std::fs::write(out.join("conspectus.v1.bin"), compiler.encode_file_descriptor_set())?;
    let descriptors = compiler.file_descriptor_set();

    // The server's codec answers a message that can't be read with a proper error; the client's is
    // the usual one. So they are generated apart, and the client uses the server's messages.
    tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::rpc::codec::RequestCodec")
        .compile_fds(descriptors.clone())?;
    let client = out.join("client");
    std::fs::create_dir_all(&client)?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".conspectus.v1", "crate::rpc::proto")
        .out_dir(client)
        .compile_fds(descriptors)?;

    let persisted = protox::compile(["conspectus/journal/v1/entry.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).build_server(false).compile_fds(persisted)?;
    Ok(())
}
