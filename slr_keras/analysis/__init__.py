"""What a report is made of: calibration, confusion, gallery, figures and the page itself."""
