//! A picture as a table: a row for each indicator by each agency, and one of all agencies together.

use super::figure::{change_cells, change_headings};
use super::{AsOf, Cell, Table, answer_cells, answer_headings, headings, key};
use crate::rpc::proto::{Agency, Area, Change, Comparison, Figure, Indicator, PictureRow};

/// The table of a picture.
#[derive(Debug, Clone)]
pub(crate) struct PictureTable {
    area: Area,
    period: String,
    compares: bool,
    as_of: AsOf,
}

impl PictureTable {
    pub(crate) fn new(comparison: Comparison, area: Area, period: String, as_of: AsOf) -> Self {
        Self { area, period, compares: comparison != Comparison::None, as_of }
    }

    fn cells(
        &self,
        indicator: &Indicator,
        agency: [Cell; 2],
        figure: Option<&Figure>,
        change: Option<&Change>,
    ) -> Vec<Cell> {
        let indicator = [&indicator.id, &indicator.title, &indicator.unit].map(Cell::text);
        let area = [&self.area.code, &self.area.name].map(Cell::text);
        let mut cells = key::answered(indicator, area, agency, key::span(&self.period));
        cells.extend(answer_cells(figure));
        if self.compares {
            cells.extend(change_cells(change));
        }
        cells.extend(self.as_of.cells());
        cells
    }
}

impl Table for PictureTable {
    type Item = PictureRow;

    fn title(&self) -> String {
        format!("Picture of {}, {}", self.area.name, self.period)
    }

    fn headings(&self) -> Vec<String> {
        let change = if self.compares { change_headings() } else { Vec::new() };
        [headings(key::ANSWERED), answer_headings(), change, headings(AsOf::HEADINGS)].concat()
    }

    /// An indicator under these headings: by each agency, and by all together.
    fn rows(&self, row: &PictureRow) -> Vec<Vec<Cell>> {
        let indicator = row.indicator.clone().unwrap_or_default();
        let cells = row.cells.iter().map(|cell| {
            let Agency { id, name, .. } = cell.agency.clone().unwrap_or_default();
            self.cells(&indicator, [id, name].map(Cell::Text), cell.figure.as_ref(), cell.change.as_ref())
        });
        let all = self.cells(&indicator, [Cell::All, Cell::All], row.combined.as_ref(), row.change.as_ref());
        cells.chain([all]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::PictureCell;

    #[test]
    fn there_is_a_row_for_each_agency_and_one_for_all() {
        let figure = |value: &str| Some(Figure { value: Some(value.to_owned()), ..Figure::default() });
        let cell = |id: &str, value: &str| PictureCell {
            agency: Some(Agency { id: id.to_owned(), ..Agency::default() }),
            figure: figure(value),
            change: None,
        };
        let row = PictureRow {
            indicator: Some(Indicator { id: "ev".to_owned(), title: "Events".to_owned(), ..Indicator::default() }),
            cells: vec![cell("care", "1"), cell("police", "2")],
            combined: figure("3"),
            change: Some(Change { from_period: "CY2020".to_owned(), from: figure("4"), ..Change::default() }),
        };
        let area = Area { code: "P".to_owned(), ..Area::default() };
        let table = PictureTable::new(Comparison::Unspecified, area, "CY2021".to_owned(), AsOf::default());
        let headings = table.headings();
        let texts = table.rows(&row).into_iter().map(|cells| {
            assert_eq!(cells.len(), headings.len());
            let field = |name: &str| headings.iter().position(|heading| heading == name).unwrap();
            let named = ["indicator", "area", "period", "period_end", "agency", "value", "from_value"];
            named.map(|name| cells[field(name)].clone().into_field()).join(",")
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            ["ev,P,CY2021,2021-12-31,care,1,", "ev,P,CY2021,2021-12-31,police,2,", "ev,P,CY2021,2021-12-31,,3,4"]
        );
        let table = PictureTable::new(Comparison::None, Area::default(), String::new(), AsOf::default());
        assert!(!table.headings().contains(&"from_value".to_owned()), "nothing is compared");
    }
}
