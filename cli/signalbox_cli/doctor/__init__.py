"""`signalbox doctor`: looks at a deployed environment, changes nothing, says what is wrong."""
