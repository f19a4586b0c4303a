//! Compiles the protos with protox, so that no `protoc` is needed, and keeps the served ones'
//! descriptors for server reflection.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let served = [
        "conspectus/v1/audit_service.proto",
        "conspectus/v1/catalogue_service.proto",
        "conspectus/v1/key_service.proto",
        "conspectus/v1/picture_service.proto",
        "conspectus/v1/submission_service.proto",
    ];
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_source_info(true).include_imports(true).open_files(served)?;
    std::fs::write(out.join("conspectus.v1.bin"), compiler.encode_file_descriptor_set())?;
    let descriptors = compiler.file_descriptor_set();

    // The codec knows a message's shape by its name.
    let mut named = tonic_prost_build::Config::new();
    named.enable_type_names();
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(false)
        .compile_fds_with_config(descriptors.clone(), named)?;

    // The server's codec answers a message that can't be read with a proper error, takes submissions in a form of
    // its own, and sends the answer to a read, and a watch's message, as it was encoded before; the client's is the
    // usual one. So they are generated apart, and use the same messages.
    let server = out.join("server");
    std::fs::create_dir_all(&server)?;
    let mut served_by = tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::rpc::codec::RequestCodec")
        .extern_path(".conspectus.v1", "crate::rpc::proto")
        .extern_path(".conspectus.v1.StreamSubmissionsRequest", "crate::rpc::Streamed")
        .extern_path(".conspectus.v1.SubmitObservationsRequest", "crate::rpc::Submitted")
        .out_dir(server);
    for encoded in [
        "ExplainFigureResponse",
        "GetCompletenessResponse",
        "GetHistoryResponse",
        "GetPictureResponse",
        "ListChangesResponse",
        "QueryAggregateResponse",
        "ReconcileResponse",
        "WatchAggregateResponse",
        "WatchPictureResponse",
    ] {
        served_by = served_by.extern_path(format!(".conspectus.v1.{encoded}"), "crate::rpc::Encoded");
    }
    served_by.compile_fds(descriptors.clone())?;
    let client = out.join("client");
    std::fs::create_dir_all(&client)?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".conspectus.v1", "crate::rpc::proto")
        .out_dir(client)
        .compile_fds(descriptors)?;

    let persisted = protox::compile(["conspectus/journal/v1/entry.proto"], ["proto"])?;
    std::fs::write(out.join("conspectus.journal.v1.bin"), prost::Message::encode_to_vec(&persisted))?;
    tonic_prost_build::configure().build_client(false).build_server(false).compile_fds(persisted)?;
    Ok(())
}
