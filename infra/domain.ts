import type { Lambda, RegionData } from "./types.ts";

/**
 * The API under a name of one's own, by a load balancer: CloudFront ends a request after 60 s unless AWS raises its limit, API Gateway after 30 s, and a dial
 * waits for 80. The only way in then: the function has no URL.
 */
export function apiDomain(
	home: RegionData,
	{ fn }: Lambda,
	{ timeoutSeconds, ...domain }: { name: string; zone: string; timeoutSeconds: number },
): $util.Output<string> {
	const { place, network } = home;
	const { opts } = place;
	const { vpcId } = network;
	const group = new aws.ec2.SecurityGroup(
		"ApiGroup",
		{
			description: "HTTPS to the API",
			vpcId,
			ingress: [{ description: "HTTPS", protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: ["0.0.0.0/0"] }],
			// A function is invoked through AWS's own network: there is nothing to reach in this one.
			egress: [],
		},
		opts,
	);
	const balancer = new aws.lb.LoadBalancer(
		"Api",
		{
			loadBalancerType: "application",
			internal: false,
			securityGroups: [group.id],
			subnets: network.publicSubnets.map(({ id }) => id),
			idleTimeout: timeoutSeconds + 10,
			dropInvalidHeaderFields: true,
			enableDeletionProtection: $app.protect,
		},
		{ ...opts, dependsOn: network.connected },
	);
	const targetGroup = new aws.lb.TargetGroup("ApiFunction", { targetType: "lambda" }, opts);
	const permission = new aws.lambda.Permission(
		"ApiFromBalancer",
		{
			action: "lambda:InvokeFunction",
			function: fn.arn,
			principal: "elasticloadbalancing.amazonaws.com",
			sourceArn: targetGroup.arn,
		},
		opts,
	);
	new aws.lb.TargetGroupAttachment(
		"ApiAttachment",
		{ targetGroupArn: targetGroup.arn, targetId: fn.arn },
		{ ...opts, dependsOn: [permission] },
	);
	const zoneId = aws.route53.getZoneOutput({ name: domain.zone }, opts).zoneId;
	new aws.lb.Listener(
		"ApiListener",
		{
			loadBalancerArn: balancer.arn,
			protocol: "HTTPS",
			port: 443,
			sslPolicy: "ELBSecurityPolicy-TLS13-1-2-2021-06",
			certificateArn: certificate(domain.name, zoneId, opts),
			defaultActions: [{ type: "forward", targetGroupArn: targetGroup.arn }],
		},
		opts,
	);
	const aliases = [{ name: balancer.dnsName, zoneId: balancer.zoneId, evaluateTargetHealth: false }];
	new aws.route53.Record("ApiName", { zoneId, name: domain.name, type: "A", aliases }, opts);
	return $util.output(`https://${domain.name}`);
}

/** Proved by a record in the zone, and renewed by AWS for as long as that is there. Gives the ARN once it is valid. */
function certificate(domainName: string, zoneId: $util.Output<string>, opts: { provider: aws.Provider }): $util.Output<string> {
	const made = new aws.acm.Certificate("ApiCertificate", { domainName, validationMethod: "DNS" }, opts);
	const proof = made.domainValidationOptions.apply(([first]) => {
		if (first === undefined) throw new Error("the certificate says nothing of how it is proved");
		return first;
	});
	const record = new aws.route53.Record(
		"ApiCertificateProof",
		{
			zoneId,
			name: proof.resourceRecordName,
			type: proof.resourceRecordType,
			records: [proof.resourceRecordValue],
			ttl: 60,
			allowOverwrite: true,
		},
		opts,
	);
	return new aws.acm.CertificateValidation("ApiCertificateValid", { certificateArn: made.arn, validationRecordFqdns: [record.fqdn] }, opts)
		.certificateArn;
}
