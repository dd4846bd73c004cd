package litmus

// machine is the model of this processor.
var machine = tso
