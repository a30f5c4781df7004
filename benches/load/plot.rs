//! The figures as a plot: for each row a bar per server, whose length says how many times better than the first it is.

use std::fmt::Write as _;

use crate::table::{Column, ROWS, Row, readable};

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 16.0;
/// Where bars begin.
const AXIS: f64 = 190.0;
/// Width for the figure beside the longest bar.
const FIGURE: f64 = 130.0;
const LINE: f64 = 18.0;
/// Height of the line above all rows.
const CAPTION: f64 = 28.0;
const GAP: f64 = 14.0;
const BAR: f64 = 12.0;

/// Grey tones for the other servers; the last colour is entremise's.
const COLOURS: [&str; 4] = ["#b8bec6", "#98a1ab", "#77818d", "#1f6feb"];

/// Servers in the order of the table.
pub(crate) fn svg(columns: &[Column]) -> String {
    let panel = columns.iter().map(|_| LINE).sum::<f64>() + LINE + GAP;
    let height = CAPTION + MARGIN + ROWS.iter().map(|_| panel).sum::<f64>();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" role=\"img\" aria-label=\"entremise beside other signaling servers\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    let caption = format!("One core each: how many times better than the {}. Longer is better.", columns[0].name);
    text(&mut svg, MARGIN, MARGIN + BAR, "normal", &caption);
    for (index, row) in (0_u32..).zip(&ROWS) {
        draw(&mut svg, row, columns, MARGIN + CAPTION + panel * f64::from(index));
    }
    svg + "</svg>\n"
}

/// One row's bars, below its title.
fn draw(svg: &mut String, row: &Row, columns: &[Column], top: f64) {
    let times = |column| row.times_better(column, &columns[0]);
    let longest = columns.iter().filter_map(times).fold(f64::MIN_POSITIVE, f64::max);
    text(svg, MARGIN, top + BAR, "bold", row.title);
    for ((line, colour), column) in (1_u32..).zip(COLOURS).zip(columns) {
        let y = top + LINE * f64::from(line);
        text(svg, MARGIN, y + BAR - 2.0, "normal", column.name);
        let Some(times) = times(column) else {
            text(svg, AXIS, y + BAR - 2.0, "normal", "–");
            continue;
        };
        let length = (WIDTH - AXIS - FIGURE - MARGIN) * times / longest;
        let _ = writeln!(
            svg,
            "<rect x=\"{AXIS}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        );
        let value = row.value(column).map(readable).unwrap_or_default();
        let figure = format!("{}× ({value} {})", readable(times), row.unit);
        text(svg, AXIS + length + 6.0, y + BAR - 2.0, "normal", &figure.replace(" )", ")"));
    }
}

fn text(svg: &mut String, x: f64, y: f64, weight: &str, said: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"{weight}\" fill=\"#1f2328\">{said}</text>");
}
