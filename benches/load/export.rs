//! The data in files, for other programs to do the same work with: `benches/peers`.

use std::fs::File;
use std::path::Path;

use conspectus::rpc::proto;

use crate::Failure;
use crate::workload::Workload;

/// Writes `observations.csv`: every observation with its submission's agency and request id, in the order
/// of submission. `second` is a ratio's denominator, and empty for numbers.
pub(crate) fn export(workload: Workload, folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let mut csv = csv::Writer::from_writer(File::create(folder.join("observations.csv"))?);
    csv.write_record(["agency", "request_id", "indicator", "area", "month", "breakdown", "first", "second"])?;
    for request in workload.batches() {
        for observation in &request.observations {
            let breakdown = observation.breakdown.first().map_or("", |it| it.category.as_str());
            let (first, second) = match observation.measure.as_ref() {
                Some(proto::observation::Measure::Number(number)) => (number.as_str(), ""),
                Some(proto::observation::Measure::Ratio(ratio)) => (ratio.numerator.as_str(), &*ratio.denominator),
                Some(proto::observation::Measure::Percentage(_) | proto::observation::Measure::Mean(_)) | None => {
                    return Err("the workload has numbers and ratios alone".into());
                }
            };
            let (agency, request_id) = (request.agency.as_str(), request.request_id.as_str());
            let (indicator, area, month) = (&*observation.indicator, &*observation.area, &*observation.period);
            csv.write_record([agency, request_id, indicator, area, month, breakdown, first, second])?;
        }
    }
    csv.flush()?;
    Ok(())
}
