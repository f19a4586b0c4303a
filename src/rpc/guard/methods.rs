//! What each method does.

use crate::access::Action;

/// What each method does, by its path.
pub const METHODS: [(&str, Action); 37] = [
    ("/conspectus.v1.AuditService/ListAuditLines", Action::ReadAudit),
    ("/conspectus.v1.CatalogueService/GetAgency", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetArea", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetCalendar", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetDimension", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetIndicator", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetReconciliationRule", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListAgencies", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListAreas", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListCalendars", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListDimensions", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListIndicators", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListReconciliationRules", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/PutCatalogue", Action::ChangeCatalogue),
    ("/conspectus.v1.KeyService/CreateKey", Action::ChangeKeys),
    ("/conspectus.v1.KeyService/GetCaller", Action::ReadCaller),
    ("/conspectus.v1.KeyService/ListKeys", Action::ReadKeys),
    ("/conspectus.v1.KeyService/RevokeKey", Action::ChangeKeys),
    ("/conspectus.v1.KeyService/RotateKey", Action::ChangeKeys),
    ("/conspectus.v1.PictureService/ExplainFigure", Action::ReadFigures),
    ("/conspectus.v1.PictureService/GetCompleteness", Action::ReadCompleteness),
    ("/conspectus.v1.PictureService/GetHistory", Action::ReadFigures),
    ("/conspectus.v1.PictureService/GetPicture", Action::ReadFigures),
    ("/conspectus.v1.PictureService/ListChanges", Action::ReadFigures),
    ("/conspectus.v1.PictureService/QueryAggregate", Action::ReadFigures),
    ("/conspectus.v1.PictureService/Reconcile", Action::ReadFigures),
    ("/conspectus.v1.PictureService/WatchAggregate", Action::ReadFigures),
    ("/conspectus.v1.PictureService/WatchPicture", Action::ReadFigures),
    ("/conspectus.v1.SubmissionService/CompleteReturn", Action::Submit),
    ("/conspectus.v1.SubmissionService/GetReturn", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/GetSubmission", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/ListReturns", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/ListSubmissions", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/StreamSubmissions", Action::Submit),
    ("/conspectus.v1.SubmissionService/SubmitObservations", Action::Submit),
    ("/conspectus.v1.SubmissionService/VerifyReceipt", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/WithdrawSubmission", Action::Submit),
];

/// The one method whose requests are many messages.
pub(super) const STREAM: &str = "/conspectus.v1.SubmissionService/StreamSubmissions";

/// The services that anyone may ask.
pub(super) const OPEN_SERVICES: [&str; 3] =
    ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// What those serve.
pub(super) const OPEN_METHODS: [&str; 5] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/List",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::rpc::FILE_DESCRIPTOR_SET;

    #[test]
    fn the_one_method_of_many_messages_is_a_stream() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        let services = set.file.iter().filter(|file| file.package() == "conspectus.v1").flat_map(|file| &file.service);
        let of_streams = services.flat_map(|service| {
            let streams = service.method.iter().filter(|method| method.client_streaming());
            streams.map(|method| format!("/conspectus.v1.{}/{}", service.name(), method.name()))
        });
        assert_eq!(of_streams.collect::<Vec<_>>(), [STREAM]);
    }
}
